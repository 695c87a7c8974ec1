/** `network exposure`: Slipway's own. What of the running containers is reachable, and from where. */
import { type CommandModule, noArgs } from '../../command.ts';
import { writeListing } from '../../render/listing.ts';
import { Struct } from '../../../template/index.ts';

const TITLES = {
  Container: 'CONTAINER',
  Network: 'NETWORK',
  Address: 'ADDRESS',
  Port: 'CONTAINER PORT',
  Scope: 'SCOPE',
  From: 'REACHED FROM',
} as const;

export const command: CommandModule = {
  args: noArgs,
  async run({ io, flags, client }) {
    const { HostAddresses, Exposed, Notes } = await client().networks.exposure();
    const rows = Exposed.map(
      (row) =>
        new Struct('*network.exposureContext', {
          Address: () => row.Address,
          Container: () => row.ContainerName,
          ContainerID: () => row.ContainerID,
          From: () => row.From,
          Network: () => row.Network,
          Port: () => row.ContainerPort,
          Scope: () => row.Scope,
        }),
    );
    const format = flags.string('format');
    writeListing(io.stdout, {
      format,
      table: '{{.Container}}\t{{.Network}}\t{{.Address}}\t{{.Port}}\t{{.From}}',
      raw: 'container: {{.Container}}\naddress: {{.Address}}\nport: {{.Port}}\nfrom: {{.From}}\n',
      titles: TITLES,
      rows,
    });
    if (format !== '') return;
    if (Exposed.some((row) => row.Scope === 'everywhere'))
      io.stdout.write(`\nAddresses of this host: ${HostAddresses.join(', ') || 'none but loopback'}\n`);
    for (const note of Notes) io.stdout.write(`Note: ${note}\n`);
  },
};
