/** `manifest rm`. */
import { type CommandModule, minArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { readList, removeList } from '../../manifest-store.ts';
import { fullName } from '../../reference-name.ts';

export const command: CommandModule = {
  args: minArgs(1),
  run({ args, config }) {
    const missing: string[] = [];
    for (const name of args) {
      const list = fullName(name);
      if (readList(config(), list) === undefined) missing.push(`No such manifest: ${name}`);
      else removeList(config(), list);
    }
    if (missing.length > 0) throw new CliError(missing.join('\n'));
    return Promise.resolve();
  },
};
