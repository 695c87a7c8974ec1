/** `ps`, `container ls`. */
import type { ContainerSummary } from '../../../client/index.ts';
import { type CommandModule, noArgs } from '../../command.ts';
import { parseFilters } from '../../filters.ts';
import { CONTAINER_TITLES, containerRaw, containerRow, containerTable } from '../../render/container.ts';
import { checkFormat, writeListing } from '../../render/listing.ts';
import { shortId } from '../../render/units.ts';

/** Stands in for a container while a template is tried. */
const NOTHING: ContainerSummary = {
  Id: '',
  Names: [],
  Image: '',
  ImageID: '',
  Command: '',
  Created: 0,
  Ports: [],
  Labels: {},
  State: '',
  Status: '',
};

/** A format that shows sizes needs them from the engine, which has to measure. */
const wantsSize = (format: string): boolean =>
  /\{\{[^}]*\.Size\b/.test(format) || /\{\{\s*json \.\s*\}\}/.test(format);

export const command: CommandModule = {
  args: noArgs,
  async run({ io, flags, client, config }) {
    const format =
      flags.string('format') === '' && !flags.bool('quiet')
        ? (config().psFormat ?? '')
        : flags.string('format');
    const latest = flags.bool('latest') && flags.number('last') === -1;
    const last = latest ? 1 : flags.number('last');
    const size = flags.bool('size') || wantsSize(format);
    checkFormat(format, containerRow(NOTHING, { truncate: true, now: io.now() }));
    const containers = await client().containers.list({
      all: flags.bool('all'),
      limit: last > 0 ? last : undefined,
      size,
      filters: parseFilters(flags.list('filter')),
    });
    const truncate = !flags.bool('no-trunc');
    if (flags.bool('quiet') && format === '') {
      io.stdout.write(containers.map((c) => `${truncate ? shortId(c.Id) : c.Id}\n`).join(''));
      return;
    }
    const table = flags.bool('quiet') ? '{{.ID}}' : containerTable(flags.bool('size'));
    const rows = containers.map((c) => containerRow(c, { truncate, now: io.now() }));
    const raw = flags.bool('quiet') ? 'container_id: {{.ID}}' : containerRaw(flags.bool('size'));
    writeListing(io.stdout, { format, table, raw, titles: CONTAINER_TITLES, rows });
  },
};
