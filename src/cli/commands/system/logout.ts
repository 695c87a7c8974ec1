/** `logout`. */
import { type CommandModule, maxArgs } from '../../command.ts';
import { eraseAuth, findAuth, HUB } from '../../credentials.ts';

export const command: CommandModule = {
  args: maxArgs(1),
  async run({ io, args, config }) {
    const given = args[0] ?? '';
    const server =
      given === '' || given === 'docker.io' ? HUB : given.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
    const shown = server === HUB ? HUB : server;
    io.stdout.write(`Removing login credentials for ${shown}\n`);
    if (findAuth(config(), server) !== undefined) eraseAuth(config(), server);
  },
};
