/** `stop`. */
import { type CommandModule, minArgs } from '../../command.ts';
import { forEachAtOnce } from '../../failure.ts';
import { stopOptions } from './stop-options.ts';

export const command: CommandModule = {
  args: minArgs(1),
  async run({ io, flags, args, client }) {
    const options = stopOptions(flags);
    await forEachAtOnce(
      args,
      (id) => client().containers.stop(id, options),
      (id) => io.stdout.write(`${id}\n`),
    );
  },
};
