/** `network rm`. */
import { ApiError } from '../../../client/index.ts';
import { type CommandModule, minArgs } from '../../command.ts';
import { CliError, EXIT_FAILURE } from '../../exit.ts';
import { errorText } from '../../failure.ts';

export const command: CommandModule = {
  args: minArgs(1),
  async run({ io, flags, args, client }) {
    let failed = false;
    for (const name of args) {
      try {
        await client().networks.remove(name);
        io.stdout.write(`${name}\n`);
      } catch (error) {
        const gone = error instanceof ApiError && error.status === 404;
        if (gone && flags.bool('force')) continue;
        io.stderr.write(`${errorText(error)}\n`);
        failed = true;
      }
    }
    if (failed) throw new CliError('', EXIT_FAILURE);
  },
};
