/** `network prune`. */
import { type CommandModule, noArgs } from '../../command.ts';
import { confirm } from '../../confirm.ts';
import { prunedText, pruneFilters } from '../../prune.ts';

const WARNING =
  'WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue?';

export const command: CommandModule = {
  args: noArgs,
  async run({ io, flags, client }) {
    if (!flags.bool('force') && !(await confirm(io, WARNING))) return;
    const report = await client().networks.prune(pruneFilters(flags));
    io.stdout.write(prunedText(report));
  },
};
