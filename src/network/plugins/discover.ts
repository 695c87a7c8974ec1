/** Finds plugins where Docker's documentation says that they announce themselves: sockets, and files that name an address. */

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { invalid } from '../../core/errors.ts';
import type { PluginAddress } from './client.ts';

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

/** `unix:///path`, `tcp://host:port`. */
export function parseAddress(text: string): PluginAddress {
  const unix = /^unix:\/\/(\/.+)$/.exec(text.trim());
  if (unix?.[1] !== undefined) return { socketPath: unix[1] };
  const tcp = /^(?:tcp|http):\/\/([^:/]+|\[[^\]]+\]):(\d{1,5})\/?$/.exec(text.trim());
  const port = Number(tcp?.[2]);
  if (tcp?.[1] === undefined || port < 1 || port > 65_535)
    throw invalid(
      `${JSON.stringify(text.trim())} is no address of a plugin: unix:///PATH or tcp://HOST:PORT`,
    );
  return { host: tcp[1].replace(/^\[(.*)\]$/, '$1'), port };
}

function fromJson(text: string, path: string): PluginAddress {
  const value = JSON.parse(text) as { readonly Addr?: unknown; readonly TLSConfig?: unknown };
  if (value.TLSConfig !== undefined && value.TLSConfig !== null)
    throw invalid(`${path}: plugins behind TLS are not supported`);
  return parseAddress(typeof value.Addr === 'string' ? value.Addr : '');
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
