/** `volume rm`. */
import { type CommandModule, minArgs } from '../../command.ts';
import { forEach } from '../../failure.ts';

export const command: CommandModule = {
  args: minArgs(1),
  async run({ io, flags, args, client }) {
    await forEach(args, async (name) => {
      await client().volumes.remove(name, flags.bool('force'));
      io.stdout.write(`${name}\n`);
    });
  },
};
