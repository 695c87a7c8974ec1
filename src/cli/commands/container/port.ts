/** `port`. */
import { type CommandModule, rangeArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { compareNames } from '../../render/order.ts';

type Binding = { readonly HostIp: string; readonly HostPort: string };

const address = ({ HostIp, HostPort }: Binding): string =>
  `${HostIp.includes(':') ? `[${HostIp}]` : HostIp}:${HostPort}`;

export const command: CommandModule = {
  args: rangeArgs(1, 2),
  async run({ io, args, client }) {
    const [id = '', wanted] = args;
    const { NetworkSettings } = await client().containers.inspect(id);
    const ports = NetworkSettings.Ports ?? {};
    if (wanted === undefined) {
      const lines = Object.entries(ports).flatMap(([port, bindings]) =>
        (bindings ?? []).map((b) => `${port} -> ${address(b)}`),
      );
      io.stdout.write(
        lines
          .toSorted(compareNames)
          .map((line) => `${line}\n`)
          .join(''),
      );
      return;
    }
    const [number = '', protocol = 'tcp'] = wanted.split('/');
    if (!/^\d+$/.test(number) || Number(number) > 65_535)
      throw new CliError(
        `Error: invalid port (${number}): strconv.ParseUint: parsing ${JSON.stringify(number)}: invalid syntax`,
      );
    const bindings = ports[`${number}/${protocol}`];
    if (bindings == null) throw new CliError(`Error: No public port '${wanted}' published for ${id}`);
    io.stdout.write(
      bindings
        .map((b) => `${address(b)}\n`)
        .toSorted(compareNames)
        .join(''),
    );
  },
};
