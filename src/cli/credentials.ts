/** Passwords of registries: in the client's config file or in one of docker's credential helpers. */
import type { AuthConfig } from '../client/index.ts';
import { type ConfigFile, saveAuths } from './config.ts';
import { CliError } from './exit.ts';

/** Docker Hub's name in config files. */
export const HUB = 'https://index.docker.io/v1/';

/** The key in the config file of the registry that a full image name points to. */
export function registryOf(fullName: string): string {
  const domain = fullName.slice(0, fullName.indexOf('/'));
  return domain === 'docker.io' ? HUB : domain;
}

const bare = (server: string): string => server.replace(/^https?:\/\//, '').replace(/\/.*$/, '');

interface HelperAnswer {
  readonly Username?: string;
  readonly Secret?: string;
}

function callHelper(helper: string, action: 'get' | 'store' | 'erase', input: string): string {
  // Loaded only here: it would cost each `run` a millisecond or two.
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const result = spawnSync(`docker-credential-${helper}`, [action], { input, encoding: 'utf8' });
  // A helper need not read what it is told: its exit code says what became of it.
  const failure: NodeJS.ErrnoException | undefined = result.error;
  if (failure !== undefined && failure.code !== 'EPIPE') {
    throw new CliError(`error getting credentials - err: ${failure.message}, out: \`\``);
  }
  if (result.status === 0) return result.stdout;
  if (/credentials not found/.test(result.stdout)) return '';
  throw new CliError(
    `error getting credentials - err: exit status ${result.status ?? ''}, out: \`${result.stdout.trim()}\``,
  );
}

/** The helper that keeps a registry's password, when it is not the config file itself. */
export const helperFor = (config: ConfigFile, server: string): string | undefined =>
  config.credHelpers?.[server] ?? (config.credsStore === '' ? undefined : config.credsStore);

function fromHelper(helper: string, server: string): AuthConfig | undefined {
  const text = callHelper(helper, 'get', server);
  if (text === '') return undefined;
  const answer = JSON.parse(text) as HelperAnswer;
  if (answer.Username === '<token>') return { identitytoken: answer.Secret ?? '', serveraddress: server };
  return { username: answer.Username ?? '', password: answer.Secret ?? '', serveraddress: server };
}

/** What is known for a registry, or undefined. */
export function findAuth(config: ConfigFile, server: string): AuthConfig | undefined {
  const helper = helperFor(config, server);
  if (helper !== undefined) return fromHelper(helper, server);
  const auths = config.auths ?? {};
  const key =
    Object.keys(auths).find((name) => name === server) ??
    Object.keys(auths).find((name) => bare(name) === bare(server));
  const stored = key === undefined ? undefined : auths[key];
  if (stored === undefined) return undefined;
  const plain = Buffer.from(stored.auth ?? '', 'base64').toString('utf8');
  const colon = plain.indexOf(':');
  return {
    ...(colon < 0
      ? {}
      : { username: plain.slice(0, colon), password: plain.slice(colon + 1).replace(/\0+$/, '') }),
    ...(stored.identitytoken === undefined ? {} : { identitytoken: stored.identitytoken }),
    ...(stored.registrytoken === undefined ? {} : { registrytoken: stored.registrytoken }),
    serveraddress: server,
  };
}

/** Keeps credentials with the helper, or in the file. Returns false when they stand there already. */
export function storeAuth(config: ConfigFile, server: string, auth: AuthConfig): boolean {
  const helper = helperFor(config, server);
  if (helper !== undefined) {
    const token = auth.identitytoken;
    const entry = {
      ServerURL: server,
      Username: token === undefined ? auth.username : '<token>',
      Secret: token ?? auth.password,
    };
    callHelper(helper, 'store', JSON.stringify(entry));
    // An empty entry says that there is one; a password that stood here before has moved.
    saveAuths(config, { ...config.auths, [server]: {} });
    return true;
  }
  const stored = {
    auth: Buffer.from(
      `${auth.username ?? ''}:${auth.identitytoken === undefined ? (auth.password ?? '') : ''}`,
    ).toString('base64'),
    ...(auth.identitytoken === undefined ? {} : { identitytoken: auth.identitytoken }),
  };
  const old = config.auths?.[server];
  if (old?.auth === stored.auth && old.identitytoken === stored.identitytoken) return false;
  saveAuths(config, { ...config.auths, [server]: stored });
  return true;
}

export function eraseAuth(config: ConfigFile, server: string): void {
  const helper = helperFor(config, server);
  if (helper !== undefined) {
    callHelper(helper, 'erase', server);
  }
  if (config.auths === undefined) return;
  const rest = Object.entries(config.auths ?? {}).filter(([name]) => bare(name) !== bare(server));
  saveAuths(config, Object.fromEntries(rest));
}
