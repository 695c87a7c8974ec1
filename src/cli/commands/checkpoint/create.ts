/** `checkpoint create`. */
import { type CommandModule, exactArgs } from '../../command.ts';

export const command: CommandModule = {
  args: exactArgs(2),
  async run({ io, flags, args: [container = '', name = ''], client }) {
    const directory = flags.string('checkpoint-dir');
    await client().containers.createCheckpoint(container, {
      name,
      directory: directory === '' ? undefined : directory,
      exit: !flags.bool('leave-running'),
    });
    io.stdout.write(`${name}\n`);
  },
};
