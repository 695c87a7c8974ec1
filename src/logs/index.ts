/**
 * Log drivers: where a container's output is kept and how it is read back. The shim writes the json-file log, so that no line is lost
 * while the daemon is down; these read it. Built by the composition root, called by the containers service.
 */
import { notImplemented } from '../core/errors.ts';
import type { LogDriver } from '../core/ports/log-driver.ts';
import { chooseAttributes } from './json-file/attributes.ts';
import { removeFiles } from './json-file/files.ts';
import { parseJsonFileOptions } from './json-file/options.ts';
import { readJsonFile } from './json-file/read.ts';

export { defaultLogLimits } from './json-file/options.ts';

/** Docker's json-file: one JSON object a line, rotated by size. */
export function createJsonFileDriver(): LogDriver {
  return {
    name: 'json-file',
    validate: parseJsonFileOptions,
    attributes: chooseAttributes,
    read: readJsonFile,
    remove: removeFiles,
  };
}

/** Keeps nothing. */
export function createNoneDriver(): LogDriver {
  return {
    name: 'none',
    validate: () => ({ maxSize: 0, maxFile: 1 }),
    read: () => {
      throw notImplemented('configured logging driver does not support reading');
    },
    remove: async () => {},
  };
}

/** All drivers, by name. */
export function createLogDrivers(): ReadonlyMap<string, LogDriver> {
  return new Map([createJsonFileDriver(), createNoneDriver()].map((driver) => [driver.name, driver]));
}
