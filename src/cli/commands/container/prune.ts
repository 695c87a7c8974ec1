/** `container prune`. */
import { type CommandModule, noArgs } from '../../command.ts';
import { confirm } from '../../confirm.ts';
import { prunedText, pruneFilters, writeReclaimed } from '../../prune.ts';

const WARNING = 'WARNING! This will remove all stopped containers.\nAre you sure you want to continue?';

export const command: CommandModule = {
  args: noArgs,
  async run({ io, flags, client }) {
    if (!flags.bool('force') && !(await confirm(io, WARNING))) return;
    const report = await client().containers.prune(pruneFilters(flags));
    io.stdout.write(prunedText(report));
    writeReclaimed(io, report.SpaceReclaimed ?? 0);
  },
};
