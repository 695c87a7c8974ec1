/**
 * Log drivers: where a container's output is kept and how it is read back. The shim writes every log into files of its own (the
 * spool), so that no line is lost while the daemon is down; these read them, compress them and send them on. Built by the
 * composition root, called by the containers service.
 */
import { notImplemented } from '../core/errors.ts';
import type { LogDriver } from '../core/ports/log-driver.ts';
import { chooseAttributes } from './attributes.ts';
import { parseCommonOptions } from './options/common.ts';
import { planJsonFile } from './options/json-file.ts';
import { planLocal } from './options/local.ts';
import { CompressionQueue } from './spool/compress.ts';
import { readSpool } from './spool/read.ts';
import { removeSegments } from './spool/segments.ts';
import { tendFiles } from './tend-files.ts';

export { defaultLogLimits } from './options/json-file.ts';

/** Docker's json-file: one JSON object a line, rotated by size. */
export function createJsonFileDriver(queue = new CompressionQueue()): LogDriver {
  return {
    name: 'json-file',
    validate: planJsonFile,
    attributes: chooseAttributes,
    read: readSpool,
    tend: (ctx, tending) => tendFiles(ctx, queue, tending),
    remove: removeSegments,
  };
}

/** Small files, compressed, that keep every byte. */
export function createLocalDriver(queue = new CompressionQueue()): LogDriver {
  return {
    name: 'local',
    validate: planLocal,
    read: readSpool,
    tend: (ctx, tending) => tendFiles(ctx, queue, tending),
    remove: removeSegments,
  };
}

/** Keeps nothing. */
export function createNoneDriver(): LogDriver {
  return {
    name: 'none',
    validate: (options) => {
      parseCommonOptions(options);
      return { maxSize: 0, maxFile: 1, readable: false };
    },
    read: () => {
      throw notImplemented('configured logging driver does not support reading');
    },
    remove: async () => {},
  };
}

/** All drivers, by name. */
export function createLogDrivers(): ReadonlyMap<string, LogDriver> {
  const queue = new CompressionQueue();
  const drivers = [createJsonFileDriver(queue), createLocalDriver(queue), createNoneDriver()];
  return new Map(drivers.map((driver) => [driver.name, driver]));
}
