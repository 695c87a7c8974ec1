/**
 * What the daemon and slipway-net say to each other: one JSON object a line over `<run-root>/net.sock`, requests with an
 * id, replies with the same id. A daemon may be older or newer than the process it finds: `hello` comes first and says
 * both versions; within one protocol version only additions are made.
 */

import type { ErrorKind } from './errors.ts';
import type { LookupCounters, PortHold, ResolverConfig, ZoneName } from './ports/net-helper.ts';

export const netdProtocol = 1;

export interface Zone {
  readonly networkId: string;
  /** Name of the network: `web.mynet` is answered too. */
  readonly networkName: string;
  readonly names: readonly ZoneName[];
}

export interface NetdRequests {
  hello: { readonly protocol: number };
  attachResolver: { readonly namespacePath: string; readonly config: ResolverConfig };
  updateResolver: { readonly config: ResolverConfig };
  detachResolver: { readonly containerId: string };
  setZone: { readonly zone: Zone };
  holdPorts: { readonly ports: readonly PortHold[] };
  releasePorts: { readonly containerId: string; readonly ports?: readonly PortHold[] | undefined };
  list: object;
  lookups: object;
  stats: object;
  /** Everything that a successor needs; descriptors are numbers in the asked process. */
  handover: object;
  /** The successor serves: stop reading, finish what is under way, end. */
  yield: object;
  shutdown: object;
}
export type NetdOperation = keyof NetdRequests;

export interface NetdReplies {
  /** `build` names the program's content: a daemon that brings another one has it replaced, sockets and all. */
  hello: { readonly protocol: number; readonly build: string; readonly pid: number };
  attachResolver: object;
  updateResolver: object;
  detachResolver: object;
  setZone: object;
  holdPorts: object;
  releasePorts: object;
  list: {
    readonly resolvers: readonly string[];
    readonly zones: readonly string[];
    readonly ports: readonly PortHold[];
  };
  lookups: Readonly<Record<string, LookupCounters>>;
  stats: { readonly pid: number; readonly rssBytes: number; readonly version: string };
  handover: NetdState;
  yield: object;
  shutdown: object;
}

export interface HeldResolver {
  readonly config: ResolverConfig;
  /** Where the namespace was found, and its inode: the path may mean another one by now. */
  readonly namespacePath: string;
  readonly namespaceInode: string;
  readonly udpPort: number;
  readonly tcpPort: number;
  /** Descriptors in the process that holds them; -1 in a snapshot on disk. */
  readonly udpFd: number;
  readonly tcpFd: number;
  readonly namespaceFd: number;
}

export interface HeldPort {
  readonly hold: PortHold;
  readonly fd: number;
}

/** The whole state: what is handed over, and (without descriptors) what is written to the run root. */
export interface NetdState {
  readonly protocol: number;
  readonly resolvers: readonly HeldResolver[];
  readonly zones: readonly Zone[];
  readonly ports: readonly HeldPort[];
}

export type NetdRequest = { readonly id: number } & {
  [K in NetdOperation]: { readonly op: K; readonly input: NetdRequests[K] };
}[NetdOperation];

export type NetdReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly kind: ErrorKind; readonly message: string } };

export const socketPath = (runRoot: string): string => `${runRoot}/net.sock`;
export const pidPath = (runRoot: string): string => `${runRoot}/net.pid`;
export const statePath = (runRoot: string): string => `${runRoot}/net-state.json`;

/** Lines from chunks; a line longer than `limit` bytes ends in an error, so that a stranger cannot fill the memory. */
export class LineReader {
  #rest = '';
  readonly #limit: number;

  constructor(limit = 64 * 1024 * 1024) {
    this.#limit = limit;
  }

  push(chunk: string): readonly string[] {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > this.#limit) throw new RangeError('line of the slipway-net protocol is too long');
    return lines.filter((line) => line !== '');
  }
}
