/** `rm`. */
import { type CommandModule, minArgs } from '../../command.ts';
import { CliError, EXIT_FAILURE } from '../../exit.ts';
import { errorText } from '../../failure.ts';

/** docker says this in words of its own when `--force` meets a container that is not there, and succeeds. */
const isGone = (message: string): boolean => /No such container/.test(message);

export const command: CommandModule = {
  args: minArgs(1),
  async run({ io, flags, args, client }) {
    const options = { force: flags.bool('force'), volumes: flags.bool('volumes'), link: flags.bool('link') };
    const running = args.map(async (id) => {
      const name = id.replaceAll(/^\/+|\/+$/g, '');
      if (name === '') throw new CliError('Container name cannot be empty');
      await client().containers.remove(name, options);
    });
    const settled = await Promise.allSettled(running);
    const errors: string[] = [];
    for (const [at, result] of settled.entries()) {
      if (result.status === 'fulfilled') io.stdout.write(`${args[at] ?? ''}\n`);
      else errors.push(errorText(result.reason));
    }
    if (errors.length === 0) return undefined;
    if (options.force && errors.every(isGone)) {
      io.stderr.write(`${errors.join('\n')}\n`);
      return undefined;
    }
    throw new CliError(errors.join('\n'), EXIT_FAILURE);
  },
};
