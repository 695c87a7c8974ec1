/** `network inspect`. */
import { type CommandModule, minArgs } from '../../command.ts';
import { inspectAll } from '../../inspect.ts';

export const command: CommandModule = {
  args: minArgs(1),
  async run({ io, flags, args, client }) {
    await inspectAll(io, args, flags.string('format'), (name) =>
      client().networks.inspectRaw(name, { verbose: flags.bool('verbose') }),
    );
  },
};
