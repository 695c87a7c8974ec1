import type { Ctx } from '../ctx.ts';
import type { PublishedPort } from '../model/container.ts';

/** One name on one network. */
export interface ZoneName {
  /** Lower case, no trailing dot. */
  readonly name: string;
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

/** What the resolver of one container answers: derived state, replaced as a whole. */
export interface ResolverConfig {
  readonly containerId: string;
  /** Networks of the container, in the order of lookup. */
  readonly networkIds: readonly string[];
  /** Names that only this container sees (links, extra). */
  readonly ownNames: readonly ZoneName[];
  /** Upstream servers (`address` or `address:port`); `hostNamespace` servers are asked from the host's namespace. */
  readonly upstreams: readonly { readonly address: string; readonly hostNamespace: boolean }[];
  /** An internal-only container is answered from the zones alone. */
  readonly forward: boolean;
}

export interface PortHold extends PublishedPort {
  readonly containerId: string;
  /** Target for relayed traffic (UDP where needed, `[::1]`). */
  readonly containerIp: string;
}

/** Lookups of one container since its resolver was bound by the present process. */
export interface LookupCounters {
  readonly queries: number;
  /** From names of its networks. */
  readonly answered: number;
  /** By servers behind, and from such answers that still held. */
  readonly forwarded: number;
  readonly cached: number;
  /** Dropped or refused because there were too many. */
  readonly limited: number;
  /** No server answered, or none may be asked. */
  readonly failed: number;
}

/** The daemon's client of `slipway-net`, which outlives the daemon. Derived state only: `sync` replaces all of it. */
export interface NetHelper {
  /** Starts the process or takes over a running one of a compatible version, and hands a running older one's sockets over. */
  ensureRunning(ctx: Ctx): Promise<void>;
  /** Binds DNS sockets in the namespace, on random ports, with the redirect of 127.0.0.11:53; resolves when queries are answered. */
  attachResolver(ctx: Ctx, namespacePath: string, config: ResolverConfig): Promise<void>;
  updateResolver(ctx: Ctx, config: ResolverConfig): Promise<void>;
  /** Idempotent. */
  detachResolver(ctx: Ctx, containerId: string): Promise<void>;
  /** Replaces the names of one network; an empty list forgets it. `web.NETWORKNAME` is answered too. */
  setZone(ctx: Ctx, networkId: string, networkName: string, names: readonly ZoneName[]): Promise<void>;
  /**
   * Binds the host sockets of the ports, all or none. `conflict` with Docker's wording when the address is in use
   * (`failed to bind host port for 0.0.0.0:80:...: address already in use`).
   */
  holdPorts(ctx: Ctx, ports: readonly PortHold[]): Promise<void>;
  /** Idempotent. Without `ports` all of the container's. */
  releasePorts(ctx: Ctx, containerId: string, ports?: readonly PortHold[]): Promise<void>;
  /** What it holds, for reconcile. */
  list(
    ctx: Ctx,
  ): Promise<{ resolvers: readonly string[]; zones: readonly string[]; ports: readonly PortHold[] }>;
  /** By container id. */
  lookups(ctx: Ctx): Promise<Readonly<Record<string, LookupCounters>>>;
  /** Calls back whenever the process was lost and a new one runs, which knows ports and names but may lack resolvers. */
  onRestart(listener: () => void): void;
  /** Disconnects; the process goes on. */
  close(): void;
  /** Ends the helper process (only on `clean`). */
  shutdown(ctx: Ctx): Promise<void>;
  /** Process id and resident bytes, for info and benchmarks. */
  stats(ctx: Ctx): Promise<{ pid: number; rssBytes: number; version: string }>;
}
