/** `image prune`. */
import { type CommandModule, noArgs } from '../../command.ts';
import { confirm } from '../../confirm.ts';
import { prunedText, pruneFilters, writeReclaimed } from '../../prune.ts';

const DANGLING = 'WARNING! This will remove all dangling images.\nAre you sure you want to continue?';
const ALL =
  'WARNING! This will remove all images without at least one container associated to them.\nAre you sure you want to continue?';

export const command: CommandModule = {
  args: noArgs,
  async run({ io, flags, client }) {
    const all = flags.bool('all');
    if (!flags.bool('force') && !(await confirm(io, all ? ALL : DANGLING))) return;
    const report = await client().images.prune({ ...pruneFilters(flags), dangling: [String(!all)] });
    io.stdout.write(prunedText(report));
    writeReclaimed(io, report.SpaceReclaimed ?? 0);
  },
};
