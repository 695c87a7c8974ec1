/** `logout`. */
import { type CommandModule, maxArgs } from '../../command.ts';
import { eraseAuth, findAuth, HUB } from '../../credentials.ts';

export const command: CommandModule = {
  args: maxArgs(1),
  async run({ io, args, config }) {
    const given = args[0] ?? '';
    const server = given === '' || given === 'docker.io' ? HUB : given.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
    const shown = server === HUB ? HUB : server;
    if (findAuth(config(), server) === undefined) {
      io.stdout.write(`Not logged in to ${shown}\n`);
      return;
    }
    io.stdout.write(`Removing login credentials for ${shown}\n`);
    eraseAuth(config(), server);
  },
};
