/** `image gc`: Slipway's own. Removes what nobody needs, as the engine does by itself when the disk fills up. */
import type { CollectReport } from '../../../client/index.ts';
import { type CommandModule, noArgs } from '../../command.ts';
import { alignColumns } from '../../render/table.ts';
import { humanSize, shortId } from '../../render/units.ts';

const percent = (part: number): string => `${Math.round(part * 100)}%`;

function diskLine({ disk, high, low }: CollectReport): string {
  const used = disk.total === 0 ? 0 : (disk.total - disk.free) / disk.total;
  const marks =
    high === undefined
      ? 'collecting by itself is off'
      : `high mark ${percent(high)}, low mark ${percent(low)}`;
  return `Disk: ${percent(used)} of ${humanSize(disk.total)} in use; ${marks}.\n`;
}

function stepLines(report: CollectReport): string {
  const rows = report.steps.map(({ what, id, bytes, reason }) =>
    [what, shortId(id), humanSize(bytes), reason].join('\t'),
  );
  return `${alignColumns(['WHAT\tID\tSIZE\tWHY', ...rows].join('\n'))}\n`;
}

export const command: CommandModule = {
  args: noArgs,
  async run({ io, flags, client }) {
    const dryRun = flags.bool('dry-run');
    const report = await client().images.collect({ dryRun, all: flags.bool('all') });
    if (flags.string('format') === 'json') {
      io.stdout.write(`${JSON.stringify(report)}\n`);
      return;
    }
    io.stdout.write(diskLine(report));
    if (report.steps.length === 0) io.stdout.write('Nothing to remove.\n');
    else io.stdout.write(stepLines(report));
    io.stdout.write(`${dryRun ? 'Would free' : 'Freed'}: ${humanSize(report.bytes)}\n`);
  },
};
