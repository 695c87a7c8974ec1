/** Receivers of datagrams: UDP, where nobody knows whether they arrive, and unix sockets, where a full receiver is waited for. */
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { OpenUnixDatagram, UnixDatagram } from '../../core/ports/unix-datagram.ts';
import type { Connect, ShippedLine, Sink } from './sink.ts';

/** The datagrams of some lines, in order. */
export type Datagrams = (lines: readonly ShippedLine[]) => Iterable<Buffer>;

/** So many are on their way to the kernel at once. */
const atOnce = 32;
const fullMs = 5;

class UdpSink implements Sink {
  readonly confirms = false;
  readonly broken = new Promise<Error>(() => {});
  readonly #socket: Socket;
  readonly #encode: Datagrams;

  constructor(socket: Socket, encode: Datagrams) {
    this.#socket = socket;
    this.#encode = encode;
    // A refusal (nobody listens there now) is told by the network late and for no message in particular.
    socket.on('error', () => {});
  }

  #sendOne(message: Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.send(message, () => resolve());
    });
  }

  async send(lines: readonly ShippedLine[]): Promise<void> {
    let open: Promise<void>[] = [];
    for (const message of this.#encode(lines)) {
      open.push(this.#sendOne(message));
      if (open.length < atOnce) continue;
      await Promise.all(open);
      open = [];
    }
    await Promise.all(open);
  }

  async finish(): Promise<void> {}

  destroy(): void {
    this.#socket.close();
  }
}

export function udpConnect(host: string, port: number, encode: Datagrams): Connect {
  return async () => {
    const { address, family } = await lookup(host);
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(port, address, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    return new UdpSink(socket, encode);
  };
}

class UnixDatagramSink implements Sink {
  readonly confirms = false;
  readonly broken = new Promise<Error>(() => {});
  readonly #socket: UnixDatagram;
  readonly #encode: Datagrams;
  readonly #signal: AbortSignal;

  constructor(socket: UnixDatagram, encode: Datagrams, signal: AbortSignal) {
    this.#socket = socket;
    this.#encode = encode;
    this.#signal = signal;
  }

  async send(lines: readonly ShippedLine[]): Promise<void> {
    let sent = 0;
    for (const message of this.#encode(lines)) {
      while (!this.#socket.send(message)) await delay(fullMs, undefined, { signal: this.#signal });
      sent += 1;
      // The calls are synchronous: others get their turn.
      if (sent % atOnce === 0) await new Promise(setImmediate);
    }
  }

  async finish(): Promise<void> {}

  destroy(): void {
    this.#socket.close();
  }
}

/** To the first of these sockets that takes datagrams. */
export function unixDatagramConnect(
  open: OpenUnixDatagram,
  paths: readonly string[],
  encode: Datagrams,
): Connect {
  return async (signal) => {
    let failure: unknown;
    for (const path of paths) {
      try {
        return new UnixDatagramSink(open(path), encode, signal);
      } catch (error) {
        failure ??= error;
      }
    }
    throw failure;
  };
}
