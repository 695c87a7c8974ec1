/** `unpause`. */
import { type CommandModule, minArgs } from '../../command.ts';
import { forEachAtOnce } from '../../failure.ts';

export const command: CommandModule = {
  args: minArgs(1),
  async run({ io, args, client }) {
    await forEachAtOnce(
      args,
      (id) => client().containers.unpause(id),
      (id) => io.stdout.write(`${id}\n`),
    );
  },
};
