/** From global flags and environment to a client. */
import fs from 'node:fs';
import path from 'node:path';
import { type Client, createClient, type TlsOptions } from '../client/index.ts';
import { type ConfigFile, configDirectory } from './config.ts';
import { CliError } from './exit.ts';
import type { Flags } from './flags/parse.ts';

const DEFAULT_HOST = 'unix:///run/slipway.sock';

type Env = Readonly<Record<string, string | undefined>>;

const given = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

/** Where the engine listens, as flags and environment say. */
export function hostOf(flags: Flags, env: Env): string {
  const hosts = flags.list('host');
  if (hosts.length > 1)
    throw new CliError('Failed to initialize: unable to resolve slipway endpoint: Specify only one -H');
  return given(hosts[0]) ?? given(env['SLIPWAY_HOST']) ?? given(env['DOCKER_HOST']) ?? DEFAULT_HOST;
}

/** A PEM file; the default ones may be missing, one that the user named may not. */
function pem(flags: Flags, flag: string, fallback: string): string | undefined {
  const file = flags.changed(flag) ? flags.string(flag) : fallback;
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (!flags.changed(flag)) return undefined;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(/ENOENT/.test(reason) ? `open ${file}: no such file or directory` : reason, {
      cause: error,
    });
  }
}

function tlsOf(flags: Flags, env: Env): TlsOptions | undefined {
  const verify = flags.changed('tlsverify')
    ? flags.bool('tlsverify')
    : given(env['DOCKER_TLS_VERIFY']) !== undefined;
  const wanted = flags.bool('tls') || verify || given(env['DOCKER_TLS']) !== undefined;
  if (!wanted) return undefined;
  const directory =
    given(env['DOCKER_CERT_PATH']) ??
    configDirectory(env, flags.changed('config') ? flags.string('config') : '');
  const ca = pem(flags, 'tlscacert', path.join(directory, 'ca.pem'));
  const cert = pem(flags, 'tlscert', path.join(directory, 'cert.pem'));
  const key = pem(flags, 'tlskey', path.join(directory, 'key.pem'));
  return {
    verify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
}

export function connect(flags: Flags, env: Env, config: ConfigFile): Client {
  const host = hostOf(flags, env);
  const local = host.startsWith('unix://');
  try {
    return createClient({
      host,
      tls: local ? undefined : tlsOf(flags, env),
      version: given(env['DOCKER_API_VERSION'])?.replace(/^v/, ''),
      headers: { 'User-Agent': 'Slipway-Client', ...config.HttpHeaders },
    });
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(
      `Failed to initialize: unable to resolve slipway endpoint: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
