/** `network ls`. */
import { type CommandModule, noArgs } from '../../command.ts';
import { parseFilters } from '../../filters.ts';
import { labelsText } from '../../render/container.ts';
import { writeListing } from '../../render/listing.ts';
import { goTime } from '../../render/go-time.ts';
import { compareNames } from '../../render/order.ts';
import { shortId } from '../../render/units.ts';
import { Struct } from '../../../template/index.ts';

const TITLES = {
  ID: 'NETWORK ID',
  Name: 'NAME',
  Driver: 'DRIVER',
  Scope: 'SCOPE',
  IPv4: 'IPV4',
  IPv6: 'IPV6',
  Internal: 'INTERNAL',
  Labels: 'LABELS',
  CreatedAt: 'CREATED AT',
} as const;

export const command: CommandModule = {
  args: noArgs,
  async run({ io, flags, client, config }) {
    const networks = await client().networks.list(parseFilters(flags.list('filter')));
    const truncate = !flags.bool('no-trunc');
    const quiet = flags.bool('quiet');
    const format =
      flags.string('format') === '' && !quiet ? (config().networksFormat ?? '') : flags.string('format');
    const sorted = networks.toSorted((a, b) => compareNames(a.Name, b.Name));
    const id = (full: string): string => (truncate ? shortId(full) : full);
    if (quiet && format === '') {
      io.stdout.write(sorted.map((n) => `${id(n.Id)}\n`).join(''));
      return;
    }
    const rows = sorted.map(
      (n) =>
        new Struct(
          '*network.networkContext',
          {
            CreatedAt: () => goTime(n.Created),
            Driver: () => n.Driver,
            ID: () => id(n.Id),
            IPv4: () => String(n.EnableIPv4 ?? false),
            IPv6: () => String(n.EnableIPv6 ?? false),
            Internal: () => String(n.Internal),
            Labels: () => labelsText(n.Labels),
            Name: () => n.Name,
            Scope: () => n.Scope,
          },
          { Label: (name) => n.Labels?.[String(name)] ?? '' },
        ),
    );
    writeListing(io.stdout, {
      format,
      table: quiet ? '{{.ID}}' : '{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}',
      raw: quiet
        ? 'network_id: {{.ID}}'
        : 'network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n',
      titles: TITLES,
      rows,
    });
  },
};
