/** `create`. */
import { type CommandModule, minArgs } from '../../command.ts';
import { CliError, EXIT_ENGINE } from '../../exit.ts';
import { createBody } from '../../run/create-body.ts';
import { createContainer } from '../../run/create-container.ts';
import { RUN_CHECKS } from '../../run/checks.ts';
import { runFailure } from '../../run/failure.ts';

export const command: CommandModule = {
  args: minArgs(1),
  interspersed: false,
  checks: RUN_CHECKS,
  async run(c) {
    const { io, flags, args, path } = c;
    let body;
    try {
      body = createBody(flags, args, io.env);
    } catch (error) {
      throw runFailure(path, error, EXIT_ENGINE);
    }
    if (flags.string('name').includes('/')) throw new CliError('invalid container name');
    io.stdout.write(`${await createContainer(c, body)}\n`);
  },
};
