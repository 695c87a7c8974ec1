/** The CDI specifications of this host, read from their directories each time they are asked for: drivers come and go. */

import { opendir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../../core/errors.ts';
import { parseCdiSpec, type CdiEdits, type CdiSpec } from './spec.ts';

export interface CdiDevice {
  /** `vendor.com/class=name`. */
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly edits: CdiEdits;
  readonly spec: CdiSpec;
}

export interface CdiRegistry {
  readonly devices: ReadonlyMap<string, CdiDevice>;
  /** What is wrong with which file; the others hold all the same. */
  readonly problems: readonly string[];
}

const maxFiles = 1000;
const maxBytes = 4 * 1024 * 1024;

/** Names of specification files, in order. A directory that is not there holds none. */
async function filesOf(directory: string): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const entry of await opendir(directory)) {
      if (/\.(json|ya?ml)$/.test(entry.name)) names.push(entry.name);
      if (names.length >= maxFiles) break;
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ENOTDIR')) throw error;
  }
  return names.sort();
}

async function readSpec(file: string): Promise<CdiSpec> {
  const { size } = await stat(file);
  if (size > maxBytes) throw new Error(`${file}: larger than ${maxBytes} bytes`);
  const text = await readFile(file, 'utf8');
  if (file.endsWith('.json')) return parseCdiSpec(JSON.parse(text), file);
  // Loaded by the first host that needs it.
  const { parse } = await import('yaml');
  return parseCdiSpec(parse(text, { maxAliasCount: 100 }), file);
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function readDirectory(directory: string, problems: string[]): Promise<ReadonlyMap<string, CdiDevice>> {
  const devices = new Map<string, CdiDevice>();
  const twice = new Set<string>();
  for (const name of await filesOf(directory)) {
    const file = join(directory, name);
    try {
      const spec = await readSpec(file);
      for (const [device, edits] of spec.devices) {
        const id = `${spec.kind}=${device}`;
        if (devices.has(id)) twice.add(id);
        devices.set(id, { id, kind: spec.kind, name: device, edits, spec });
      }
    } catch (error) {
      const words = wordsOf(error);
      problems.push(words.includes(file) ? words : `${file}: ${words}`);
    }
  }
  // Which of the two was meant nobody can tell.
  for (const id of twice) {
    devices.delete(id);
    problems.push(`${directory}: conflicting device ${id}`);
  }
  return devices;
}

/** Directories later in the list win over earlier ones. */
export async function readCdi(directories: readonly string[]): Promise<CdiRegistry> {
  const devices = new Map<string, CdiDevice>();
  const problems: string[] = [];
  for (const directory of directories) {
    for (const [id, device] of await readDirectory(directory, problems)) devices.set(id, device);
  }
  return { devices, problems };
}

/** For `info`: ids of all devices, and what is wrong. */
export async function listDevices(
  directories: readonly string[],
): Promise<{ readonly ids: readonly string[]; readonly problems: readonly string[] }> {
  const { devices, problems } = await readCdi(directories);
  return { ids: [...devices.keys()].sort(), problems };
}
