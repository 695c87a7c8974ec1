/** `wait`. */
import { type CommandModule, minArgs } from '../../command.ts';
import { forEach } from '../../failure.ts';

export const command: CommandModule = {
  args: minArgs(1),
  async run({ io, args, client }) {
    await forEach(args, async (id) => {
      const { result } = await client().containers.wait(id);
      io.stdout.write(`${(await result).StatusCode}\n`);
    });
  },
};
