/** `rename`. */
import { type CommandModule, exactArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { errorText } from '../../failure.ts';

export const command: CommandModule = {
  args: exactArgs(2),
  async run({ args, client }) {
    const [from = '', to = ''] = args.map((arg) => arg.trim());
    if (from === '' || to === '') throw new CliError('Error: Neither old nor new names may be empty');
    await client()
      .containers.rename(from, to)
      .catch((error: unknown) => {
        throw new CliError(`${errorText(error)}\nError: failed to rename container named ${from}`);
      });
  },
};
