/**
 * `daemon.json`: the daemon's flags in a file, under the names that dockerd gives them. What stands there becomes flags, so that each
 * value is read and checked in one place. Pure but for reading the file.
 */

import { readFileSync } from 'node:fs';
import { invalid, isErrno } from '../core/errors.ts';

export const defaultConfigFile = '/etc/slipway/daemon.json';

type Json = Readonly<Record<string, unknown>>;
interface Key {
  readonly flag: string;
  /** Values of the flag, one for each time that it is given. `invalid` where the value is of another kind. */
  readonly read: (value: unknown, key: string) => readonly string[];
}

const wrong = (key: string, what: string): Error => invalid(`${key} must be ${what}`);

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function text(value: unknown, key: string): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw wrong(key, 'a text or a number');
}

function list(value: unknown, key: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw wrong(key, 'a list');
}

function entries(value: unknown, key: string): readonly (readonly [string, unknown])[] {
  if (isObject(value)) return Object.entries(value);
  throw wrong(key, 'an object');
}

const texts: Key['read'] = (value, key) => list(value, key).map((one) => text(one, key));

/** Keys that are not simply named as their flag. */
const special: Readonly<Record<string, Key>> = {
  hosts: { flag: 'host', read: texts },
  labels: { flag: 'label', read: texts },
  'insecure-registries': { flag: 'insecure-registry', read: texts },
  'registry-mirrors': { flag: 'registry-mirror', read: texts },
  'storage-opts': { flag: 'storage-opt', read: texts },
  'exec-opts': { flag: 'exec-opt', read: texts },
  'cdi-spec-dirs': { flag: 'cdi-spec-dir', read: texts },
  'log-opts': {
    flag: 'log-opt',
    read: (value, key) =>
      entries(value, key).map(([name, option]) => `${name}=${text(option, `${key}.${name}`)}`),
  },
  runtimes: {
    flag: 'add-runtime',
    read: (value, key) =>
      entries(value, key).map(([name, runtime]) => {
        const path = isObject(runtime) ? runtime['path'] : undefined;
        if (typeof path !== 'string' || Object.keys(runtime as Json).length > 1)
          throw wrong(`${key}.${name}`, 'an object with a path alone');
        return `${name}=${path}`;
      }),
  },
  'default-address-pools': {
    flag: 'default-address-pool',
    read: (value, key) =>
      list(value, key).map((pool) => {
        if (!isObject(pool)) throw wrong(key, 'a list of objects with base and size');
        return `base=${text(pool['base'], `${key}.base`)},size=${text(pool['size'], `${key}.size`)}`;
      }),
  },
  'default-ulimits': {
    flag: 'default-ulimit',
    read: (value, key) =>
      entries(value, key).map(([name, limit]) => {
        if (!isObject(limit)) throw wrong(`${key}.${name}`, 'an object with Soft and Hard');
        return `${name}=${text(limit['Soft'], `${key}.${name}.Soft`)}:${text(limit['Hard'], `${key}.${name}.Hard`)}`;
      }),
  },
};

/** Flags that dockerd's file has in an object of their own. */
const proxies = ['http-proxy', 'https-proxy', 'no-proxy'];

export interface KnownFlag {
  readonly type: 'string' | 'boolean';
}

interface Setting {
  readonly key: string;
  readonly flag: string;
  readonly args: readonly string[];
}

function settingOf(
  flags: Readonly<Record<string, KnownFlag>>,
  key: string,
  value: unknown,
): Setting | undefined {
  const { flag, read } = special[key] ?? { flag: key, read: (one: unknown) => [text(one, key)] };
  const known = flags[flag];
  // A flag that may be given several times has its key in the plural.
  const isPlural = special[key] === undefined && Object.values(special).some((one) => one.flag === key);
  if (known === undefined || isPlural || key === 'config-file') return undefined;
  if (known.type === 'boolean') {
    if (typeof value !== 'boolean') throw wrong(key, 'true or false');
    return { key, flag, args: value ? [`--${flag}`] : [] };
  }
  const values = typeof value === 'boolean' ? [String(value)] : read(value, key);
  return { key, flag, args: values.map((one) => `--${flag}=${one}`) };
}

/** What stands in the file as flags; `given` are those of the command line. `invalid` in dockerd's words. */
export function configArguments(
  json: string,
  flags: Readonly<Record<string, KnownFlag>>,
  given: ReadonlySet<string>,
): readonly string[] {
  if (json.trim() === '') return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : 'no JSON', error);
  }
  const settings: Setting[] = [];
  const unknown: string[] = [];
  for (const [key, value] of entries(parsed, 'its content')) {
    const inner = key === 'proxies' ? entries(value, key) : [[key, value] as const];
    for (const [name, one] of inner) {
      const setting = key === 'proxies' && !proxies.includes(name) ? undefined : settingOf(flags, name, one);
      if (setting === undefined) unknown.push(name);
      else settings.push(setting);
    }
  }
  if (unknown.length > 0)
    throw invalid(`the following directives don't match any configuration option: ${unknown.join(', ')}`);
  const twice = settings.filter(({ flag }) => given.has(flag));
  if (twice.length > 0) {
    const names = twice.map(({ key, flag }) => `${key}: (from flag: ${flag})`);
    throw invalid(
      `the following directives are specified both as a flag and in the configuration file: ${names.join(', ')}`,
    );
  }
  return settings.flatMap(({ args }) => args);
}

/** Of the default file where `path` is undefined, and there is one; of none for an empty path. `invalid` with dockerd's words around what is wrong. */
export function readConfig(
  path: string | undefined,
  flags: Readonly<Record<string, KnownFlag>>,
  given: ReadonlySet<string>,
): readonly string[] {
  if (path === '') return [];
  const file = path ?? defaultConfigFile;
  try {
    return configArguments(readFileSync(file, 'utf8'), flags, given);
  } catch (error) {
    if (path === undefined && isErrno(error, 'ENOENT')) return [];
    const why = error instanceof Error ? error.message : String(error);
    throw invalid(`unable to configure the daemon with file ${file}: ${why}`, error);
  }
}
