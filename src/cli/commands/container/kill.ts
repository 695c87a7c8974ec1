/** `kill`. */
import { type CommandModule, minArgs } from '../../command.ts';
import { forEachAtOnce } from '../../failure.ts';

export const command: CommandModule = {
  args: minArgs(1),
  async run({ io, flags, args, client }) {
    const signal = flags.string('signal');
    await forEachAtOnce(
      args,
      (id) => client().containers.kill(id, signal === '' ? undefined : signal),
      (id) => io.stdout.write(`${id}\n`),
    );
  },
};
