/** `volume create`. */
import { type CommandModule, maxArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { keyValues } from '../../key-values.ts';

export const command: CommandModule = {
  args: maxArgs(1),
  async run({ io, flags, args, client }) {
    const flag = flags.string('name');
    if (args[0] !== undefined && flag !== '') {
      throw new CliError(
        'conflicting options: cannot specify a volume-name through both --name and as a positional arg',
      );
    }
    const name = args[0] ?? flag;
    const volume = await client().volumes.create({
      Driver: flags.string('driver'),
      DriverOpts: flags.map('opt'),
      Labels: keyValues(flags.list('label')),
      ...(name === '' ? {} : { Name: name }),
    });
    io.stdout.write(`${volume.Name}\n`);
  },
};
