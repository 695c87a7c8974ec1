/** Bound sockets for published ports: a process of the host that wants one is refused, and one that has it is noticed. */

import { conflict, internal, toSlipwayError } from '../../core/errors.ts';
import { hostAndPort } from '../../core/ip.ts';
import type { HeldPort } from '../../core/netd-protocol.ts';
import type { PortHold } from '../../core/ports/net-helper.ts';
import { errorCode, type LightHost } from '../../host/index.ts';
import { relayTcp, type Relay } from '../relay/tcp.ts';
import { relayUdp } from '../relay/udp.ts';

interface Held {
  readonly hold: PortHold;
  readonly fd: number;
  readonly relay: Relay | undefined;
}

const keyOf = (port: PortHold): string => `${port.protocol} ${hostAndPort(port.hostIp, port.hostPort)}`;

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EACCES: 'permission denied',
};

/** Docker's words: host address, container address, reason. */
function bindError(port: PortHold, error: unknown): Error {
  const code = errorCode(error);
  const where = `${hostAndPort(port.hostIp, port.hostPort)}:${hostAndPort(port.containerIp, port.containerPort)}/${port.protocol}`;
  const text = `failed to bind host port for ${where}: ${reasons[code] ?? toSlipwayError(error).message}`;
  return code === 'EADDRINUSE' ? conflict(text, error) : internal(text, error);
}

function startRelay(hold: PortHold, fd: number): Relay | undefined {
  const target = { address: hold.containerIp, port: hold.containerPort };
  if (hold.protocol === 'sctp') return undefined;
  return hold.protocol === 'tcp' ? relayTcp(fd, target) : relayUdp(fd, hold.hostIp.includes(':'), target);
}

export class PortHolder {
  readonly #host: Pick<LightHost, 'openSocket' | 'closeFd'>;
  readonly #held = new Map<string, Held>();

  constructor(host: Pick<LightHost, 'openSocket' | 'closeFd'>) {
    this.#host = host;
  }

  /** All or none. A port that the same container holds already stays. */
  async hold(ports: readonly PortHold[]): Promise<void> {
    const fresh: PortHold[] = [];
    try {
      for (const port of ports) {
        const present = this.#held.get(keyOf(port));
        if (present?.hold.containerId === port.containerId && present.hold.containerIp === port.containerIp)
          continue;
        // Left by a container whose release got lost: the daemon's claims say who has the port now.
        if (present !== undefined) this.#close(keyOf(port));
        await this.#bind(port);
        fresh.push(port);
      }
    } catch (error) {
      for (const port of fresh) this.#close(keyOf(port));
      throw error;
    }
  }

  adopt({ hold, fd }: HeldPort): void {
    this.#held.set(keyOf(hold), { hold, fd, relay: startRelay(hold, fd) });
  }

  /** Without `ports` all of the container's. */
  release(containerId: string, ports?: readonly PortHold[]): void {
    const some = ports === undefined ? undefined : new Set(ports.map(keyOf));
    for (const [key, { hold }] of this.#held)
      if (hold.containerId === containerId && (some === undefined || some.has(key))) this.#close(key);
  }

  all(): readonly HeldPort[] {
    return [...this.#held.values()].map(({ hold, fd }) => ({ hold, fd }));
  }

  /** Accepts no more; resolves when what is under way has ended. */
  async drain(): Promise<void> {
    const relays = [...this.#held.values()].flatMap(({ relay }) => relay ?? []);
    for (const relay of relays) relay.stop();
    await Promise.all(relays.map((relay) => relay.ended()));
  }

  close(): void {
    for (const key of this.#held.keys()) this.#close(key);
  }

  async #bind(port: PortHold): Promise<void> {
    const { protocol, hostIp, hostPort } = port;
    try {
      const { fd } = await this.#host.openSocket(undefined, {
        type: protocol,
        address: hostIp,
        port: hostPort,
        listen: protocol !== 'udp',
        // A port whose last connections are in TIME_WAIT is free; one that somebody listens on is refused all the same.
        reuseAddress: protocol !== 'udp',
      });
      this.#held.set(keyOf(port), { hold: port, fd, relay: startRelay(port, fd) });
    } catch (error) {
      // Without SCTP in the kernel nobody can take the port either.
      if (protocol === 'sctp' && ['EPROTONOSUPPORT', 'ESOCKTNOSUPPORT'].includes(errorCode(error))) return;
      throw bindError(port, error);
    }
  }

  #close(key: string): void {
    const held = this.#held.get(key);
    if (held === undefined) return;
    this.#held.delete(key);
    if (held.relay === undefined) this.#host.closeFd(held.fd);
    else held.relay.close();
  }
}
