/**
 * The user's client configuration, docker's `config.json`: default formats, detach keys, headers, registry passwords.
 * It is shared with docker, so that a login made there works here.
 */
import fs from 'node:fs';
import path from 'node:path';
import { CliError } from './exit.ts';

export interface StoredAuth {
  readonly auth?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

export interface ConfigFile {
  readonly file: string;
  readonly psFormat?: string;
  readonly imagesFormat?: string;
  readonly networksFormat?: string;
  readonly volumesFormat?: string;
  readonly statsFormat?: string;
  readonly detachKeys?: string;
  readonly HttpHeaders?: Readonly<Record<string, string>>;
  readonly auths?: Readonly<Record<string, StoredAuth>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly proxies?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

type Env = Readonly<Record<string, string | undefined>>;

export function configDirectory(env: Env, flag: string): string {
  const home = env['HOME'] ?? process.getBuiltinModule('node:os').homedir();
  return (
    [flag, env['SLIPWAY_CONFIG'], env['DOCKER_CONFIG']].find((d) => d !== undefined && d !== '') ??
    path.join(home, '.docker')
  );
}

/** The file's content, empty when there is none. Throws CliError when it cannot be read. */
export function loadConfig(directory: string): ConfigFile {
  const file = path.join(directory, 'config.json');
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch {
    return { file };
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null) return { ...parsed, file };
  } catch (error) {
    throw new CliError(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw new CliError(`${file}: not a JSON object`);
}

/** Rewrites the file with `auths` replaced; everything else in it stays as it is. */
export function saveAuths(config: ConfigFile, auths: Readonly<Record<string, StoredAuth>>): void {
  const { file, ...rest } = config;
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const next = `${file}.${process.pid}.tmp`;
  fs.writeFileSync(next, JSON.stringify({ ...rest, auths }, null, '\t'), { mode: 0o600 });
  fs.renameSync(next, file);
}
