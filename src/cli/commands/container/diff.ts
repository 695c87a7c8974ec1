/** `diff`. */
import { type CommandModule, exactArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';

const KINDS = ['C', 'A', 'D'];

export const command: CommandModule = {
  args: exactArgs(1),
  async run({ io, args, client }) {
    const [id = ''] = args;
    if (id === '') throw new CliError('Container name cannot be empty');
    const changes = await client().containers.diff(id);
    io.stdout.write(changes.map(({ Kind, Path }) => `${KINDS[Kind] ?? Kind} ${Path}\n`).join(''));
  },
};
