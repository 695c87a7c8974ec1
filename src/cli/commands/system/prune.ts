/** `system prune`. */
import { ApiError, type PruneReport } from '../../../client/index.ts';
import { type CommandModule, noArgs } from '../../command.ts';
import { confirm } from '../../confirm.ts';
import type { Flags } from '../../flags/parse.ts';
import { prunedText, pruneFilters, writeReclaimed } from '../../prune.ts';

function warning(flags: Flags): string {
  const all = flags.bool('all');
  const filters = flags.list('filter');
  const items = [
    'all stopped containers',
    'all networks not used by at least one container',
    ...(flags.bool('volumes') ? ['all anonymous volumes not used by at least one container'] : []),
    all ? 'all images without at least one container associated to them' : 'all dangling images',
    all ? 'all build cache' : 'unused build cache',
  ];
  const shown =
    filters.length === 0
      ? ''
      : `\n  Items to be pruned will be filtered with:\n${filters.map((f) => `  - ${f}\n`).join('')}`;
  return `WARNING! This will remove:\n${items.map((item) => `  - ${item}\n`).join('')}${shown}\nAre you sure you want to continue?`;
}

const NOTHING: PruneReport = {};

/** An engine without a builder has no cache to prune. */
const noBuilder = (error: unknown): PruneReport => {
  if (error instanceof ApiError && (error.status === 404 || error.status === 501)) return NOTHING;
  throw error;
};

export const command: CommandModule = {
  args: noArgs,
  async run({ io, flags, client }) {
    if (!flags.bool('force') && !(await confirm(io, warning(flags)))) return;
    const filters = pruneFilters(flags);
    const all = flags.bool('all');
    const { containers, networks, volumes, images, system } = client();
    const reports = [await containers.prune(filters), await networks.prune(filters)];
    if (flags.bool('volumes')) reports.push(await volumes.prune(filters));
    reports.push(await images.prune({ ...filters, dangling: [String(!all)] }));
    reports.push(await system.pruneBuildCache({ all, filters }).catch(noBuilder));
    io.stdout.write(reports.map(prunedText).join(''));
    writeReclaimed(
      io,
      reports.reduce((sum, report) => sum + (report.SpaceReclaimed ?? 0), 0),
    );
  },
};
