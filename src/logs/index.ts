/**
 * Log drivers: where a container's output is kept and how it is read back. The shim writes every log into files of its own (the
 * spool), so that no line is lost while the daemon is down; these read them, compress them and send them on. Built by the
 * composition root, called by the containers service.
 */
import { notImplemented } from '../core/errors.ts';
import type { LogDriver } from '../core/ports/log-driver.ts';
import type { OpenUnixDatagram } from '../core/ports/unix-datagram.ts';
import { chooseAttributes } from './attributes.ts';
import { fluentdDriver } from './fluentd/index.ts';
import { gelfDriver } from './gelf/index.ts';
import { journaldDriver } from './journald/index.ts';
import { parseCommonOptions } from './options/common.ts';
import { planJsonFile } from './options/json-file.ts';
import { planLocal } from './options/local.ts';
import { createRemoteDriver } from './ship/remote-driver.ts';
import { CompressionQueue } from './spool/compress.ts';
import { readSpool } from './spool/read.ts';
import { removeSegments } from './spool/segments.ts';
import { syslogDriver } from './syslog/index.ts';
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

export interface LogDriverDeps {
  readonly openDatagram: OpenUnixDatagram;
}

/** All drivers, by name. */
export function createLogDrivers({ openDatagram }: LogDriverDeps): ReadonlyMap<string, LogDriver> {
  const queue = new CompressionQueue();
  const remote = [syslogDriver(openDatagram), journaldDriver(openDatagram), fluentdDriver, gelfDriver];
  const drivers = [
    createJsonFileDriver(queue),
    createLocalDriver(queue),
    createNoneDriver(),
    ...remote.map((driver) => createRemoteDriver(driver, queue)),
  ];
  return new Map(drivers.map((driver) => [driver.name, driver]));
}
