/** `manifest annotate`. */
import { type CommandModule, exactArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { readList, writeEntry } from '../../manifest-store.ts';
import { fullName } from '../../reference-name.ts';

/** What a list may name, as docker has it. */
const platforms: Readonly<Record<string, string>> = {
  darwin: '386 amd64 arm arm64',
  dragonfly: 'amd64',
  freebsd: '386 amd64 arm',
  linux: '386 amd64 arm arm64 mips64le ppc64le riscv64 s390x',
  netbsd: '386 amd64 arm',
  openbsd: '386 amd64 arm',
  plan9: '386 amd64',
  solaris: 'amd64',
  windows: '386 amd64 arm arm64',
};

function checkPlatform({ os, architecture }: { readonly os: string; readonly architecture: string }): void {
  if (!(platforms[os] ?? '').split(' ').includes(architecture))
    throw new CliError(`manifest entry for image has unsupported os/arch combination: ${os}/${architecture}`);
}

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
    checkPlatform(platform);
    writeEntry(config(), list, { ...entry, descriptor: { ...entry.descriptor, platform } });
    return Promise.resolve();
  },
};
