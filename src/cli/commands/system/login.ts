/** `login`. */
import { type CommandModule, maxArgs } from '../../command.ts';
import { findAuth, helperFor, HUB, storeAuth } from '../../credentials.ts';
import { CliError, EXIT_INTERRUPTED } from '../../exit.ts';
import type { Io } from '../../io.ts';

async function readAll(io: Io): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of io.stdin.chunks()) chunks.push(chunk);
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

/** What the typed keys leave: a raw terminal hands over Backspace and Ctrl-U as they are. */
function edited(keys: string): string {
  let text = '';
  for (const key of keys) {
    if (key === '\u007f' || key === '\b') text = text.slice(0, -1);
    else if (key === '\u0015') text = '';
    else text += key;
  }
  return text;
}

/** Reads a line from the terminal; a secret is not shown while it is typed. */
async function ask(io: Io, question: string, secret: boolean): Promise<string> {
  // Before the question: what is typed at once must not show either.
  if (secret) io.stdin.setRaw(true);
  io.stdout.write(question);
  let keys = '';
  try {
    for await (const chunk of io.stdin.chunks()) {
      keys += Buffer.from(chunk).toString('utf8');
      if (keys.includes('\u0003')) throw new CliError('', EXIT_INTERRUPTED);
      if (/[\r\n]/.test(keys)) break;
    }
  } finally {
    if (secret) {
      io.stdin.setRaw(false);
      io.stdout.write('\n');
    }
  }
  return edited(keys.split(/[\r\n]/)[0] ?? '');
}

function serverName(text: string): string {
  if (text === '' || text === 'docker.io' || text === 'index.docker.io') return HUB;
  const bare = text.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  // Empty would mean Docker Hub, which nobody asked for.
  if (bare === '') throw new CliError(`unable to parse server address: ${JSON.stringify(text)}`);
  return bare;
}

export const command: CommandModule = {
  args: maxArgs(1),
  async run({ io, flags, args, client, config }) {
    const server = serverName(args[0] ?? '');
    let password = flags.string('password');
    let username = flags.string('username');
    if (password !== '') {
      if (flags.bool('password-stdin'))
        throw new CliError('conflicting options: cannot specify both --password and --password-stdin');
      io.stderr.write('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n');
    }
    if (flags.bool('password-stdin')) {
      if (username === '') throw new CliError('the --password-stdin option requires --username to be set');
      password = await readAll(io);
    }
    const stored = username === '' && password === '' ? findAuth(config(), server) : undefined;
    if (stored !== undefined) {
      const who =
        stored.username === undefined || stored.username === '' ? '' : ` [Username: ${stored.username}]`;
      io.stderr.write(
        `Authenticating with existing credentials...${who}\n\n Info -> To login with a different account, run 'slipway logout' followed by 'slipway login'\n\n`,
      );
    }
    username ||= stored?.username ?? '';
    password ||= stored?.password ?? '';
    if ((username === '' || password === '') && !io.stdin.isTerminal)
      throw new CliError('Error: Cannot perform an interactive login from a non TTY device');
    if (username === '') username = (await ask(io, 'Username: ', false)).trim();
    if (username === '') throw new CliError('Error: Non-null Username Required');
    if (password === '') password = await ask(io, 'Password: ', true);
    if (password === '') throw new CliError('Error: Password Required');
    const { Status, IdentityToken } = await client().images.login({
      username,
      password,
      serveraddress: server,
    });
    const token = IdentityToken === undefined || IdentityToken === '' ? {} : { identitytoken: IdentityToken };
    const isNew = storeAuth(config(), server, { username, password, serveraddress: server, ...token });
    if (isNew && helperFor(config(), server) === undefined) {
      io.stderr.write(
        `\nWARNING! Your credentials are stored unencrypted in '${config().file}'.\nConfigure a credential helper to remove this warning.\n\n`,
      );
    }
    io.stdout.write(`${Status}\n`);
  },
};
