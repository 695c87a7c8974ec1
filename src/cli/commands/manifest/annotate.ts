/** `manifest annotate`. */
import { type CommandModule, exactArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { readList, writeEntry } from '../../manifest-store.ts';
import { fullName } from '../../reference-name.ts';

export const command: CommandModule = {
  args: exactArgs(2),
  run({ flags, args, config }) {
    const [list, ref] = [fullName(args[0] ?? ''), fullName(args[1] ?? '')];
    const entry = readList(config(), list)?.find((each) => each.ref === ref);
    if (entry === undefined)
      throw new CliError(`manifest for image ${args[1] ?? ''} does not exist in ${args[0] ?? ''}`);
    const given = (flag: string, field: string): object =>
      flags.string(flag) === '' ? {} : { [field]: flags.string(flag) };
    const features = flags.list('os-features');
    const platform = {
      ...entry.descriptor.platform,
      ...given('arch', 'architecture'),
      ...given('os', 'os'),
      ...given('os-version', 'os.version'),
      ...given('variant', 'variant'),
      ...(features.length === 0 ? {} : { 'os.features': features }),
    };
    writeEntry(config(), list, { ...entry, descriptor: { ...entry.descriptor, platform } });
    return Promise.resolve();
  },
};
