import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid } from '../../../src/core/errors.ts';
import type { VolumeDriver } from '../../../src/core/ports/volume-driver.ts';

export interface MemoryVolumes extends VolumeDriver {
  readonly files: ReadonlyMap<string, Map<string, string>>;
}

/** Volumes in memory: flat directories of text files. */
export function createMemoryVolumes(driverName = 'local'): MemoryVolumes {
  const volumes = new Map<string, Map<string, string>>();
  const path = (name: string): string => `/memory/volumes/${name}/_data`;
  const known = ['type', 'o', 'device'];
  const validate = (options: Readonly<Record<string, string>>): void => {
    for (const key of Object.keys(options))
      if (!known.includes(key)) throw invalid(`invalid option: "${key}"`);
  };
  return {
    name: driverName,
    files: volumes,
    validate,
    create: async (name, options) => {
      validate(options);
      if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(name))
        throw invalid(`invalid volume name ${JSON.stringify(name)}`);
      if (!volumes.has(name)) volumes.set(name, new Map());
      return { mountpoint: path(name) };
    },
    mount: async (name) => ({ path: path(name) }),
    unmount: async () => {},
    remove: async (name) => void volumes.delete(name),
    removeEmpty: async (name) => {
      if (volumes.get(name)?.size === 0) volumes.delete(name);
    },
    list: async () => [...volumes.keys()],
    fill: async (name, from) => {
      const files = volumes.get(name);
      if (files === undefined || files.size > 0) return;
      for (const file of await readdir(from)) files.set(file, await readFile(join(from, file), 'utf8'));
    },
    usage: async (name) =>
      [...(volumes.get(name)?.values() ?? [])].reduce((sum, text) => sum + text.length, 0),
  };
}
