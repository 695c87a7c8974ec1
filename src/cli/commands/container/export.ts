/** `export`. */
import { type CommandModule, exactArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { checkOutput, writeFileFrom, writeOut } from '../../output-file.ts';

export const command: CommandModule = {
  args: exactArgs(1),
  async run({ io, flags, args, client }) {
    const file = flags.string('output');
    if (file === '' && io.stdout.isTerminal) {
      throw new CliError('cowardly refusing to save to a terminal. Use the -o flag or redirect');
    }
    if (file !== '') {
      try {
        checkOutput(file);
      } catch (error) {
        throw new CliError(
          `failed to export container: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    }
    const tar = await client().containers.export(args[0] ?? '');
    await (file === '' ? writeOut(io.stdout, tar) : writeFileFrom(file, tar));
  },
};
