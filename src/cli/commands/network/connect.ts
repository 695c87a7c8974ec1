/** `network connect`. */
import { type CommandModule, exactArgs } from '../../command.ts';
import { keyValues } from '../../key-values.ts';

export const command: CommandModule = {
  args: exactArgs(2),
  async run({ flags, args, client }) {
    const [network = '', container = ''] = args;
    const options = keyValues(flags.list('driver-opt'));
    const links = flags.list('link');
    const aliases = flags.list('alias');
    const local = flags.list('link-local-ip');
    const [ip, ip6] = [flags.string('ip'), flags.string('ip6')];
    const hasAddress = ip !== '' || ip6 !== '' || local.length > 0;
    await client().networks.connect(network, {
      Container: container,
      EndpointConfig: {
        ...(hasAddress
          ? {
              IPAMConfig: {
                ...(ip === '' ? {} : { IPv4Address: ip }),
                ...(ip6 === '' ? {} : { IPv6Address: ip6 }),
                ...(local.length === 0 ? {} : { LinkLocalIPs: local }),
              },
            }
          : {}),
        Links: links.length === 0 ? null : links,
        Aliases: aliases.length === 0 ? null : aliases,
        DriverOpts: options,
        ...(flags.number('gw-priority') === 0 ? {} : { GwPriority: flags.number('gw-priority') }),
      },
    });
  },
};
