/** `volume prune`. */
import { type CommandModule, noArgs } from '../../command.ts';
import { confirm } from '../../confirm.ts';
import { CliError } from '../../exit.ts';
import { prunedText, pruneFilters, writeReclaimed } from '../../prune.ts';

const ANONYMOUS =
  'WARNING! This will remove anonymous local volumes not used by at least one container.\nAre you sure you want to continue?';
const ALL =
  'WARNING! This will remove all local volumes not used by at least one container.\nAre you sure you want to continue?';

export const command: CommandModule = {
  args: noArgs,
  async run({ io, flags, client }) {
    const all = flags.bool('all');
    if (!flags.bool('force') && !(await confirm(io, all ? ALL : ANONYMOUS))) return;
    const filters = pruneFilters(flags);
    if (all && filters['all'] !== undefined)
      throw new CliError('conflicting options: cannot specify both --all and --filter all=1');
    const report = await client().volumes.prune(all ? { ...filters, all: ['true'] } : filters);
    io.stdout.write(prunedText(report));
    writeReclaimed(io, report.SpaceReclaimed ?? 0);
  },
};
