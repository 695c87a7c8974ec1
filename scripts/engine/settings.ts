/** Where the engine that `make run`, `stop` and `clean` speak of keeps its things; make hands them over. */

import { join } from 'node:path';

export interface Settings {
  readonly repository: string;
  readonly instance: string;
  readonly dataRoot: string;
  readonly runRoot: string;
  /** Path of the API's unix socket. */
  readonly socket: string;
  /** Host port of the example container. */
  readonly port: number;
}

export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  return {
    repository: join(import.meta.dirname, '../..'),
    instance: env['INSTANCE'] ?? 'slipway',
    dataRoot: env['DATA_ROOT'] ?? '/var/lib/slipway',
    runRoot: env['RUN_ROOT'] ?? '/run/slipway',
    socket: env['SOCKET'] ?? '/run/slipway.sock',
    port: Number(env['PORT'] ?? 8080),
  };
}

/** Where `make run` keeps the daemon's log. */
export const daemonLog = (settings: Settings): string => join(settings.runRoot, 'slipwayd.log');
/** The daemon's process id, written by who starts it. */
export const daemonPidFile = (settings: Settings): string => join(settings.runRoot, 'slipwayd.pid');
