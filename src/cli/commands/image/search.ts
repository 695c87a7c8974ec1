/** `search`. */
import { type CommandModule, exactArgs } from '../../command.ts';
import { findAuth, HUB } from '../../credentials.ts';
import { parseFilters } from '../../filters.ts';
import { writeListing } from '../../render/listing.ts';
import { ellipsis } from '../../render/units.ts';
import { Struct } from '../../../template/index.ts';

const TITLES = {
  Name: 'NAME',
  Description: 'DESCRIPTION',
  StarCount: 'STARS',
  IsOfficial: 'OFFICIAL',
} as const;
const mark = (yes: boolean): string => (yes ? '[OK]' : '');

export const command: CommandModule = {
  args: exactArgs(1),
  async run({ io, flags, args, client, config }) {
    const found = await client().images.search({
      term: args[0] ?? '',
      limit: flags.number('limit'),
      filters: parseFilters(flags.list('filter')),
      auth: findAuth(config(), HUB),
    });
    const json = flags.string('format') === 'json';
    const truncate = !flags.bool('no-trunc');
    const rows = found
      .toSorted((a, b) => b.star_count - a.star_count)
      .map(
        (item) =>
          new Struct('*registry.searchContext', {
            Description: () => {
              const text = item.description.replaceAll(/[\r\n]/g, ' ');
              return truncate ? ellipsis(text, 45) : text;
            },
            IsOfficial: () => (json ? String(item.is_official) : mark(item.is_official)),
            Name: () => item.name,
            StarCount: () => String(item.star_count),
          }),
      );
    writeListing(io.stdout, {
      format: flags.string('format'),
      table: '{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}',
      titles: TITLES,
      rows,
    });
  },
};
