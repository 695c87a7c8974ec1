/**
 * The daemon's client of slipway-net. Starts the process where none runs, has an older one replaced, and starts it again
 * when it dies; calls made meanwhile wait for it.
 */

import { isKind, unavailable } from '../../core/errors.ts';
import {
  netdProtocol,
  socketPath,
  type NetdOperation,
  type NetdReplies,
  type NetdRequests,
} from '../../core/netd-protocol.ts';
import type { Logger } from '../../core/log.ts';
import type { NetHelper } from '../../core/ports/net-helper.ts';
import { ConnectionLost, openConnection, type Connection } from './connection.ts';
import { buildOf, launch, type LaunchHost, type NetProgram } from './launch.ts';

export type { NetProgram } from './launch.ts';

export interface NetHelperOptions {
  readonly host: LaunchHost;
  readonly runRoot: string;
  readonly program: NetProgram;
  readonly log: Logger;
}

const maxAttempts = 3;

class NetdClient implements NetHelper {
  readonly #options: NetHelperOptions;
  readonly #listeners = new Set<() => void>();
  #connection: Promise<Connection> | undefined;
  #closed = false;
  /** Whether a process was known before: only then is a new one a restart. */
  #served = false;

  constructor(options: NetHelperOptions) {
    this.#options = options;
  }

  async ensureRunning(): Promise<void> {
    await this.#connected();
  }

  async attachResolver(...[, namespacePath, config]: Parameters<NetHelper['attachResolver']>): Promise<void> {
    await this.#call('attachResolver', { namespacePath, config });
  }

  async updateResolver(...[, config]: Parameters<NetHelper['updateResolver']>): Promise<void> {
    await this.#call('updateResolver', { config });
  }

  async detachResolver(...[, containerId]: Parameters<NetHelper['detachResolver']>): Promise<void> {
    await this.#call('detachResolver', { containerId });
  }

  async setZone(...[, networkId, networkName, names]: Parameters<NetHelper['setZone']>): Promise<void> {
    await this.#call('setZone', { zone: { networkId, networkName, names } });
  }

  async holdPorts(...[, ports]: Parameters<NetHelper['holdPorts']>): Promise<void> {
    await this.#call('holdPorts', { ports });
  }

  async releasePorts(...[, containerId, ports]: Parameters<NetHelper['releasePorts']>): Promise<void> {
    await this.#call('releasePorts', { containerId, ports });
  }

  list(): ReturnType<NetHelper['list']> {
    return this.#call('list', {});
  }

  lookups(): ReturnType<NetHelper['lookups']> {
    return this.#call('lookups', {});
  }

  stats(): ReturnType<NetHelper['stats']> {
    return this.#call('stats', {});
  }

  onRestart(listener: () => void): void {
    this.#listeners.add(listener);
  }

  close(): void {
    this.#closed = true;
    void this.#connection?.then(
      (connection) => connection.close(),
      () => {},
    );
  }

  async shutdown(): Promise<void> {
    this.#closed = true;
    try {
      const connection = await (this.#connection ?? openConnection(this.#path, () => {}));
      await connection.call('shutdown', {});
      connection.close();
    } catch (error) {
      // It is gone, which is what was asked for.
      if (!(error instanceof ConnectionLost) && !isKind(error, 'unavailable')) throw error;
    }
  }

  get #path(): string {
    return socketPath(this.#options.runRoot);
  }

  async #call<K extends NetdOperation>(op: K, input: NetdRequests[K]): Promise<NetdReplies[K]> {
    for (let attempt = 1; ; attempt++) {
      const connection = await this.#connected();
      try {
        return await connection.call(op, input);
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        if (this.#closed || attempt === maxAttempts) throw unavailable('slipway-net went away', error);
      }
    }
  }

  #connected(): Promise<Connection> {
    if (this.#closed) return Promise.reject(unavailable('the client of slipway-net is closed'));
    if (this.#connection !== undefined) return this.#connection;
    const opening = this.#open();
    this.#connection = opening;
    opening.catch(() => {
      if (this.#connection === opening) this.#connection = undefined;
    });
    return opening;
  }

  async #open(): Promise<Connection> {
    const build = buildOf(this.#options.program);
    const found = await this.#greet();
    if (found !== undefined && found.build === build) {
      this.#served = true;
      return found.connection;
    }
    found?.connection.close();
    await launch(this.#options.host, this.#options.program, this.#options.runRoot, build);
    const started = await this.#greet();
    if (started === undefined) throw unavailable('slipway-net does not answer after its start');
    this.#options.log.info('slipway-net runs', { pid: started.pid, replaced: found !== undefined });
    if (this.#served && found === undefined)
      setImmediate(() => this.#listeners.forEach((listener) => listener()));
    this.#served = true;
    return started.connection;
  }

  /** Undefined when nobody answers; an empty build when the one that answers speaks another protocol. */
  async #greet(): Promise<{ connection: Connection; build: string; pid: number } | undefined> {
    let connection: Connection;
    try {
      connection = await openConnection(this.#path, () => this.#lost(connection));
    } catch (error) {
      if (isKind(error, 'unavailable')) return undefined;
      throw error;
    }
    try {
      const { build, pid } = await connection.call('hello', { protocol: netdProtocol });
      return { connection, build, pid };
    } catch (error) {
      // The kernel closes the sockets of a killed process one by one: it may take a connection and then be gone.
      if (error instanceof ConnectionLost) return undefined;
      return { connection, build: '', pid: 0 };
    }
  }

  #lost(connection: Connection): void {
    void this.#connection?.then(
      (current) => {
        if (current !== connection) return;
        this.#connection = undefined;
        if (this.#closed) return;
        this.#options.log.warn('slipway-net went away and is started again');
        this.#connected().catch((error: unknown) =>
          this.#options.log.error('slipway-net could not be started again', { error }),
        );
      },
      () => {},
    );
  }
}

export function createNetHelper(options: NetHelperOptions): NetHelper {
  return new NetdClient(options);
}
