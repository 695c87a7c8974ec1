/** `checkpoint rm`. */
import { type CommandModule, exactArgs } from '../../command.ts';

export const command: CommandModule = {
  args: exactArgs(2),
  async run({ flags, args: [container = '', name = ''], client }) {
    const directory = flags.string('checkpoint-dir');
    await client().containers.removeCheckpoint(container, name, directory === '' ? undefined : directory);
  },
};
