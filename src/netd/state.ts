/** All that slipway-net holds, and what it is asked to do with it. */

import { readlinkSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { notFound } from '../core/errors.ts';
import { netdProtocol, statePath, type HeldResolver, type NetdState } from '../core/netd-protocol.ts';
import type { LookupCounters, ResolverConfig } from '../core/ports/net-helper.ts';
import type { LightHost } from '../host/index.ts';
import { CacheBudget } from './dns/cache.ts';
import { makeQuickTable } from './dns/quick-answers.ts';
import { planRedirect, resolverAddress } from './dns/redirect.ts';
import { Resolver, type ResolverDeps } from './dns/resolver.ts';
import { Upstream } from './dns/upstream.ts';
import { Zones } from './dns/zones.ts';
import { PortHolder } from './ports/holder.ts';

const saveDelayMs = 50;

export class Holdings {
  readonly zones = new Zones();
  readonly ports: PortHolder;
  readonly #host: LightHost;
  readonly #runRoot: string;
  readonly #resolvers = new Map<string, Resolver>();
  readonly #cacheBudget = new CacheBudget();
  readonly #quickTable = makeQuickTable();
  readonly #hostUpstream: Upstream;
  #saving: NodeJS.Timeout | undefined;
  #frozen = false;

  constructor(host: LightHost, runRoot: string) {
    this.#host = host;
    this.#runRoot = runRoot;
    this.ports = new PortHolder(host);
    this.#hostUpstream = new Upstream(host, undefined);
  }

  /**
   * Binds sockets in the namespace and redirects queries to them. `before`: the ports of a process that died. Connection tracking goes on
   * sending a client's port that asks again to the port where it was answered first, so the same ones are taken where they are free.
   */
  async attachResolver(
    namespacePath: string,
    config: ResolverConfig,
    before: Pick<HeldResolver, 'udpPort' | 'tcpPort'> = { udpPort: 0, tcpPort: 0 },
  ): Promise<void> {
    await this.detachResolver(config.containerId);
    const namespaceFd = await this.#host.openNetns(namespacePath);
    const fds: number[] = [namespaceFd];
    try {
      const namespace = { fd: namespaceFd };
      const open = async (type: 'udp' | 'tcp', wanted: number): Promise<{ fd: number; port: number }> => {
        const socket = { type, address: resolverAddress, port: 0, listen: type === 'tcp' } as const;
        const opened = await this.#host
          .openSocket(namespace, { ...socket, port: wanted })
          .catch(() => this.#host.openSocket(namespace, socket));
        fds.push(opened.fd);
        return opened;
      };
      const udp = await open('udp', before.udpPort);
      const tcp = await open('tcp', before.tcpPort);
      await this.#host.nftApply(namespace, planRedirect({ udp: udp.port, tcp: tcp.port }));
      await this.adoptResolver({
        config,
        namespacePath,
        namespaceInode: readlinkSync(`/proc/self/fd/${namespaceFd}`),
        namespaceFd,
        udpPort: udp.port,
        tcpPort: tcp.port,
        udpFd: udp.fd,
        tcpFd: tcp.fd,
      });
    } catch (error) {
      if (!this.#resolvers.has(config.containerId)) for (const fd of fds) this.#host.closeFd(fd);
      throw error;
    }
  }

  /** Serves sockets that exist: own ones, or a predecessor's. */
  async adoptResolver(held: HeldResolver): Promise<void> {
    const deps: ResolverDeps = {
      host: this.#host,
      zones: this.zones,
      cacheBudget: this.#cacheBudget,
      quickTable: this.#quickTable,
      hostUpstream: this.#hostUpstream,
    };
    const resolver = new Resolver(deps, held);
    this.#resolvers.set(held.config.containerId, resolver);
    await resolver.serve();
    this.save();
  }

  updateResolver(config: ResolverConfig): void {
    const resolver = this.#resolvers.get(config.containerId);
    if (resolver === undefined) throw notFound(`no resolver for container ${config.containerId}`);
    resolver.update(config);
    this.save();
  }

  async detachResolver(containerId: string): Promise<void> {
    const resolver = this.#resolvers.get(containerId);
    this.#resolvers.delete(containerId);
    await resolver?.close();
    this.save();
  }

  lookups(): Readonly<Record<string, LookupCounters>> {
    return Object.fromEntries([...this.#resolvers].map(([id, resolver]) => [id, resolver.counters()]));
  }

  resolverIds(): readonly string[] {
    return [...this.#resolvers.keys()];
  }

  state(): NetdState {
    return {
      protocol: netdProtocol,
      resolvers: [...this.#resolvers.values()].map((resolver) => resolver.held()),
      zones: this.zones.all(),
      ports: this.ports.all(),
    };
  }

  /** Writes the state to the run root a moment later, without descriptors: for a start after a crash. */
  save(): void {
    if (this.#frozen) return;
    this.#saving ??= setTimeout(() => {
      this.#saving = undefined;
      this.#write();
    }, saveDelayMs);
  }

  /** A full or vanished run root costs the copy, not the service. */
  #write(): void {
    const path = statePath(this.#runRoot);
    try {
      writeFileSync(`${path}.new`, JSON.stringify(this.state()), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    } catch (error) {
      process.stderr.write(`state could not be written: ${String(error)}\n`);
    }
  }

  /** What the last process wrote: names and ports at once, resolvers where the path still leads to the same namespace. */
  async recover(): Promise<void> {
    let saved: NetdState;
    try {
      saved = JSON.parse(readFileSync(statePath(this.#runRoot), 'utf8')) as NetdState;
    } catch {
      return;
    }
    if (saved.protocol !== netdProtocol) return;
    for (const zone of saved.zones) this.zones.set(zone);
    for (const { hold } of saved.ports) await this.ports.hold([hold]).catch(() => {});
    for (const held of saved.resolvers) {
      if (sameNamespace(held.namespacePath, held.namespaceInode))
        await this.attachResolver(held.namespacePath, held.config, held).catch(() => {});
    }
  }

  /** For a successor: nothing is read or accepted any more; resolves when what is under way has ended. */
  async drain(): Promise<void> {
    this.#frozen = true;
    clearTimeout(this.#saving);
    await Promise.all([
      this.ports.drain(),
      ...[...this.#resolvers.values()].map((resolver) => resolver.drain()),
    ]);
  }

  async close(): Promise<void> {
    this.#frozen = true;
    clearTimeout(this.#saving);
    this.ports.close();
    await Promise.all([...this.#resolvers.values()].map((resolver) => resolver.close()));
    await this.#hostUpstream.close();
  }
}

function sameNamespace(path: string, inode: string): boolean {
  try {
    return `net:[${statSync(path).ino}]` === inode;
  } catch {
    return false;
  }
}
