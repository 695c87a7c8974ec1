/** `history`. */
import { type CommandModule, exactArgs } from '../../command.ts';
import { writeListing } from '../../render/listing.ts';
import { ellipsis, humanDuration, humanSize, localRfc3339, shortId } from '../../render/units.ts';
import { Struct } from '../../../template/index.ts';

const TITLES = {
  ID: 'IMAGE',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  CreatedBy: 'CREATED BY',
  Size: 'SIZE',
  Comment: 'COMMENT',
} as const;

export const command: CommandModule = {
  args: exactArgs(1),
  async run({ io, flags, args, client }) {
    const platform = flags.string('platform');
    const items = await client().images.history(args[0] ?? '', platform);
    const truncate = !flags.bool('no-trunc');
    const human = flags.bool('human');
    const quiet = flags.bool('quiet');
    const id = (full: string): string => (truncate ? shortId(full) : full);
    if (quiet && flags.string('format') === '') {
      io.stdout.write(items.map((item) => `${id(item.Id)}\n`).join(''));
      return;
    }
    const rows = items.map((item) => {
      const by = item.CreatedBy.replaceAll('\t', ' ');
      const at = localRfc3339(item.Created * 1000);
      return new Struct('*image.historyContext', {
        Comment: () => item.Comment,
        CreatedAt: () => at,
        CreatedBy: () => (truncate ? ellipsis(by, 45) : by),
        CreatedSince: () =>
          human ? (item.Created <= 0 ? 'N/A' : `${humanDuration(io.now() - item.Created * 1000)} ago`) : at,
        ID: () => id(item.Id),
        Size: () => (human ? humanSize(item.Size) : String(item.Size)),
      });
    });
    const table = human
      ? '{{.ID}}\t{{if .CreatedSince}}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}'
      : '{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}';
    writeListing(io.stdout, {
      format: flags.string('format'),
      table: quiet ? '{{.ID}}' : table,
      titles: TITLES,
      rows,
    });
  },
};
