/** Which host ports are promised to which container: synchronous claims in memory, derived from records at start. */

import { internal } from '../../../core/errors.ts';
import { hostAndPort } from '../../../core/ip.ts';
import type { PublishedPort } from '../../../core/model/container.ts';
import type { PortRequest } from './requests.ts';

interface Claim {
  readonly hostIp: string;
  readonly containerId: string;
}

/** A claimed port; `dynamic` ones may be exchanged when a process of the host turns out to use them. */
export interface ClaimedPort extends PublishedPort {
  readonly dynamic: boolean;
}

const isWildcard = (ip: string): boolean => ip === '0.0.0.0' || ip === '::';
const isIpv6 = (ip: string): boolean => ip.includes(':');

/** One socket cannot be bound beside the other. */
function collide(one: string, other: string): boolean {
  if (isIpv6(one) !== isIpv6(other)) return false;
  return one === other || isWildcard(one) || isWildcard(other);
}

export class PortClaims {
  /** `tcp/80` -> who holds it where. */
  readonly #claims = new Map<string, Claim[]>();
  readonly #ephemeral: { readonly first: number; readonly last: number };
  /** Where the search for an ephemeral port goes on: a port just given back is not the next one handed out. */
  #next: number;

  constructor(ephemeral: { readonly first: number; readonly last: number }) {
    this.#ephemeral = ephemeral;
    this.#next = ephemeral.first;
  }

  /** Claims every request or none. `internal` with Docker's words when a port is taken (Docker answers 500). */
  claim(containerId: string, requests: readonly PortRequest[]): readonly ClaimedPort[] {
    const claimed: ClaimedPort[] = [];
    try {
      for (const request of requests) claimed.push(...this.#claimOne(containerId, request));
      return claimed;
    } catch (error) {
      this.#forget(containerId, claimed);
      throw error;
    }
  }

  /** Another ephemeral port in place of one that a process of the host uses; the old claim is given back. */
  exchange(containerId: string, ports: readonly ClaimedPort[]): readonly ClaimedPort[] {
    const [first] = ports;
    if (first === undefined) return [];
    const request: PortRequest = {
      protocol: first.protocol,
      containerPort: first.containerPort,
      hostIps: ports.map((port) => port.hostIp),
      range: undefined,
    };
    const fresh = this.#claimOne(containerId, request);
    this.#forget(containerId, ports);
    return fresh;
  }

  /** Takes over what a running container holds already, whatever else is claimed. */
  adopt(containerId: string, ports: readonly PublishedPort[]): void {
    for (const port of ports) this.#add(containerId, port);
  }

  /** Idempotent. */
  release(containerId: string): void {
    for (const [key, claims] of this.#claims) {
      const left = claims.filter((claim) => claim.containerId !== containerId);
      if (left.length === 0) this.#claims.delete(key);
      else if (left.length !== claims.length) this.#claims.set(key, left);
    }
  }

  /** Some of a container's ports; idempotent. */
  giveBack(containerId: string, ports: readonly PublishedPort[]): void {
    this.#forget(containerId, ports);
  }

  #forget(containerId: string, ports: readonly PublishedPort[]): void {
    for (const port of ports) {
      const key = `${port.protocol}/${port.hostPort}`;
      const left = (this.#claims.get(key) ?? []).filter(
        (claim) => claim.containerId !== containerId || claim.hostIp !== port.hostIp,
      );
      if (left.length === 0) this.#claims.delete(key);
      else this.#claims.set(key, left);
    }
  }

  #add(containerId: string, port: PublishedPort): void {
    const key = `${port.protocol}/${port.hostPort}`;
    const claim: Claim = { hostIp: port.hostIp, containerId };
    this.#claims.set(key, [...(this.#claims.get(key) ?? []), claim]);
  }

  #isFree(request: PortRequest, hostPort: number): boolean {
    const claims = this.#claims.get(`${request.protocol}/${hostPort}`) ?? [];
    return !claims.some((claim) => request.hostIps.some((ip) => collide(ip, claim.hostIp)));
  }

  #claimOne(containerId: string, request: PortRequest): readonly ClaimedPort[] {
    const hostPort = request.range === undefined ? this.#findEphemeral(request) : this.#findIn(request);
    return request.hostIps.map((hostIp) => {
      const { protocol, containerPort } = request;
      const dynamic = request.range === undefined;
      const port: ClaimedPort = { protocol, containerPort, hostIp, hostPort, dynamic };
      this.#add(containerId, port);
      return port;
    });
  }

  #findIn(request: PortRequest): number {
    const { first, last } = request.range ?? this.#ephemeral;
    for (let port = first; port <= last; port++) if (this.#isFree(request, port)) return port;
    if (first !== last) throw internal('all ports are allocated');
    const bind = hostAndPort(request.hostIps[0] ?? '0.0.0.0', first);
    throw internal(`Bind for ${bind} failed: port is already allocated`);
  }

  #findEphemeral(request: PortRequest): number {
    const { first, last } = this.#ephemeral;
    const size = last - first + 1;
    for (let step = 0; step < size; step++) {
      const port = first + ((this.#next - first + step) % size);
      if (!this.#isFree(request, port)) continue;
      this.#next = port === last ? first : port + 1;
      return port;
    }
    throw internal('all ports are allocated');
  }
}
