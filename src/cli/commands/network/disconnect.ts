/** `network disconnect`. */
import { type CommandModule, exactArgs } from '../../command.ts';

export const command: CommandModule = {
  args: exactArgs(2),
  async run({ flags, args, client }) {
    const [network = '', container = ''] = args;
    await client().networks.disconnect(network, { Container: container, Force: flags.bool('force') });
  },
};
