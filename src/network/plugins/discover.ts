/** Finds plugins where Docker's documentation says that they announce themselves: sockets, and files that name an address. */

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { invalid } from '../../core/errors.ts';
import type { PluginAddress, PluginTls } from './client.ts';

export interface PluginFolders {
  readonly sockets: string;
  /** Folders of `.spec` and `.json` files, in order. */
  readonly specs: readonly string[];
}

export const dockerFolders: PluginFolders = {
  sockets: '/run/docker/plugins',
  specs: ['/etc/docker/plugins', '/usr/lib/docker/plugins'],
};

/** It becomes part of a path. */
const nameForm = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** What `https://` means where nothing else is said: the system's authorities, no certificate of our own. */
const plainTls: PluginTls = { caFile: '', certFile: '', keyFile: '', insecureSkipVerify: false };

/**
 * `unix:///path`, `tcp://host:port`, `https://host:port`. With `tls` a TCP address is never spoken to in the clear, whatever
 * its scheme; dockerd does so only with `https`.
 */
export function parseAddress(text: string, tls?: PluginTls): PluginAddress {
  const unix = /^unix:\/\/(\/.+)$/.exec(text.trim());
  if (unix?.[1] !== undefined) return { socketPath: unix[1] };
  const tcp = /^(tcp|http|https):\/\/([^:/]+|\[[^\]]+\]):(\d{1,5})\/?$/.exec(text.trim());
  const port = Number(tcp?.[3]);
  if (tcp?.[2] === undefined || port < 1 || port > 65_535)
    throw invalid(
      `${JSON.stringify(text.trim())} is no address of a plugin: unix:///PATH, tcp://HOST:PORT or https://HOST:PORT`,
    );
  const used = tls ?? (tcp[1] === 'https' ? plainTls : undefined);
  return { host: tcp[2].replace(/^\[(.*)\]$/, '$1'), port, ...(used === undefined ? {} : { tls: used }) };
}

interface SpecFile {
  readonly Addr?: unknown;
  readonly TLSConfig?: {
    readonly CAFile?: unknown;
    readonly CertFile?: unknown;
    readonly KeyFile?: unknown;
    readonly InsecureSkipVerify?: unknown;
  } | null;
}

function parseJson(text: string, path: string): SpecFile {
  try {
    return (JSON.parse(text) ?? {}) as SpecFile;
  } catch (error) {
    throw invalid(`${path} is no JSON: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function fromJson(text: string, path: string): PluginAddress {
  const { Addr, TLSConfig } = parseJson(text, path);
  if (TLSConfig === undefined || TLSConfig === null) return parseAddress(textOf(Addr));
  return parseAddress(textOf(Addr), {
    caFile: textOf(TLSConfig.CAFile),
    certFile: textOf(TLSConfig.CertFile),
    keyFile: textOf(TLSConfig.KeyFile),
    insecureSkipVerify: TLSConfig.InsecureSkipVerify === true,
  });
}

/** Undefined where nothing of that name is announced. */
export function findPlugin(name: string, folders: PluginFolders = dockerFolders): PluginAddress | undefined {
  if (!nameForm.test(name)) return undefined;
  for (const path of [join(folders.sockets, `${name}.sock`), join(folders.sockets, name, `${name}.sock`)])
    if (isSocket(path)) return { socketPath: path };
  for (const folder of folders.specs) {
    for (const path of [join(folder, `${name}.spec`), join(folder, name, `${name}.spec`)]) {
      const text = read(path);
      if (text !== undefined) return parseAddress(text);
    }
    for (const path of [join(folder, `${name}.json`), join(folder, name, `${name}.json`)]) {
      const text = read(path);
      if (text !== undefined) return fromJson(text, path);
    }
  }
  return undefined;
}
