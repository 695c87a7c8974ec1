/** `certs.d/<host>/hosts.toml`, as containerd reads it: which hosts stand for a registry, and how each is reached. */

import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { invalid, isErrno, toSlipwayError } from '../core/errors.ts';
import type { TlsOptions } from './http.ts';
import { parseToml, type TomlTable, type TomlValue } from './toml.ts';

export type Capability = 'pull' | 'resolve' | 'push';
export const allCapabilities: readonly Capability[] = ['pull', 'resolve', 'push'];

export interface HostEntry {
  readonly url: URL;
  readonly capabilities: readonly Capability[];
  readonly skipVerify: boolean;
  /** The address is the API's root itself: no `/v2` comes behind it. */
  readonly overridePath: boolean;
  readonly tls: Partial<TlsOptions>;
  readonly headers: Readonly<Record<string, string>>;
}

export interface HostsFile {
  /** The registry itself, asked last; undefined for the usual address. */
  readonly server: HostEntry | undefined;
  /** In the order of the file. */
  readonly hosts: readonly HostEntry[];
}

const isTable = (value: TomlValue | undefined): value is TomlTable =>
  typeof value === 'object' && !Array.isArray(value);
const listOf = (value: TomlValue | undefined): readonly TomlValue[] =>
  value === undefined ? [] : Array.isArray(value) ? (value as readonly TomlValue[]) : [value];
const texts = (value: TomlValue | undefined): string[] =>
  listOf(value).filter((each) => typeof each === 'string');

function urlOf(text: string): URL {
  const full = text.includes('://') ? text : `https://${text}`;
  if (!URL.canParse(full)) throw invalid(`${JSON.stringify(text)} is no address`);
  const url = new URL(full);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw invalid(`${JSON.stringify(text)} is neither http nor https`);
  return url;
}

async function readAll(directory: string, names: readonly string[]): Promise<Buffer[]> {
  return await Promise.all(names.map((name) => readFile(isAbsolute(name) ? name : join(directory, name))));
}

/** `client`: one file that holds both, pairs of certificate and key, or a list of either. */
async function clientOf(directory: string, value: TomlValue | undefined): Promise<Partial<TlsOptions>> {
  const first = listOf(value)[0];
  if (first === undefined) return {};
  const isPairAlone = typeof first === 'string' && listOf(value).length === 2;
  const [certName, keyName] = isPairAlone
    ? texts(value)
    : Array.isArray(first)
      ? texts(first)
      : texts([first]);
  if (certName === undefined) throw invalid('client names no file');
  const [cert, key] = await readAll(directory, [certName, keyName ?? certName]);
  return { ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) };
}

async function entryOf(directory: string, url: URL, table: TomlTable): Promise<HostEntry> {
  const named = texts(table['capabilities']);
  const unknown = named.find((each) => !(allCapabilities as readonly string[]).includes(each));
  if (unknown !== undefined) throw invalid(`unknown capability ${JSON.stringify(unknown)}`);
  const ca = await readAll(directory, texts(table['ca']));
  const header = isTable(table['header']) ? table['header'] : {};
  return {
    url,
    capabilities: named.length === 0 ? allCapabilities : (named as Capability[]),
    skipVerify: table['skip_verify'] === true,
    overridePath: table['override_path'] === true,
    tls: { ...(ca.length > 0 && { ca }), ...(await clientOf(directory, table['client'])) },
    headers: Object.fromEntries(
      Object.entries(header).map(([name, value]) => [name, texts(value).join(', ')]),
    ),
  };
}

/** The file of one directory; undefined when there is none. `invalid` with the file's name when it cannot be understood. */
export async function readHostsFile(directory: string): Promise<HostsFile | undefined> {
  const file = join(directory, 'hosts.toml');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
  try {
    const root = parseToml(text);
    const tables = isTable(root['host']) ? Object.entries(root['host']) : [];
    const hosts = await Promise.all(
      tables.map(async ([name, value]) => await entryOf(directory, urlOf(name), isTable(value) ? value : {})),
    );
    const [server] = texts(root['server']);
    return {
      server: server === undefined ? undefined : await entryOf(directory, urlOf(server), root),
      hosts,
    };
  } catch (error) {
    throw invalid(`${file}: ${toSlipwayError(error).message}`, error);
  }
}
