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
  /** Why the file could not be read. */
  readonly problem?: string;
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

/** The file's content, empty when there is none; one that cannot be read counts as empty and says so in `problem`. */
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
    return { file, problem: 'not a JSON object' };
  } catch (error) {
    return { file, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Rewrites the file with `auths` replaced; everything else in it stays as it is. */
export function saveAuths(config: ConfigFile, auths: Readonly<Record<string, StoredAuth>>): void {
  const { file, problem, ...rest } = config;
  if (problem !== undefined) throw new CliError(`${file} is broken and was left as it is: ${problem}`);
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const next = `${file}.${process.pid}.tmp`;
  fs.writeFileSync(next, JSON.stringify({ ...rest, auths }, null, '\t'), { mode: 0o600 });
  fs.renameSync(next, file);
}
