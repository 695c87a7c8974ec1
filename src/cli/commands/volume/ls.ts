/** `volume ls`. */
import { type CommandModule, noArgs } from '../../command.ts';
import { parseFilters } from '../../filters.ts';
import { writeListing } from '../../render/listing.ts';
import { compareNames } from '../../render/order.ts';
import { VOLUME_TITLES, volumeRow } from '../../render/volume.ts';

export const command: CommandModule = {
  args: noArgs,
  async run({ io, flags, client, config }) {
    const answer = await client().volumes.list(parseFilters(flags.list('filter')));
    const volumes = (answer.Volumes ?? []).toSorted((a, b) => compareNames(a.Name, b.Name));
    const quiet = flags.bool('quiet');
    const format =
      flags.string('format') === '' && !quiet ? (config().volumesFormat ?? '') : flags.string('format');
    if (quiet && format === '') {
      io.stdout.write(volumes.map((v) => `${v.Name}\n`).join(''));
      return;
    }
    writeListing(io.stdout, {
      format,
      table: quiet ? '{{.Name}}' : '{{.Driver}}\t{{.Name}}',
      raw: quiet ? 'name: {{.Name}}' : 'name: {{.Name}}\ndriver: {{.Driver}}\n',
      titles: VOLUME_TITLES,
      rows: volumes.map(volumeRow),
    });
  },
};
