/**
 * Asks the servers behind: a query goes out under an id of ours from a socket of the right namespace, and what comes back
 * is believed only from the server asked, with that id and that question.
 */

import { randomInt } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { Socket as TcpSocket, type SocketConstructorOpts } from 'node:net';
import { isIPv6 } from 'node:net';
import type { LightHost } from '../../host/index.ts';
import { answersQuestion, withId, type Query } from './wire.ts';

/** Docker's patience with one server. */
const timeoutMs = 4000;
/** A socket that nobody used for so long is closed; the next query comes from another port. */
const idleMs = 10_000;

export interface Server {
  readonly address: string;
  readonly port: number;
}

/** Where queries leave: the host's namespace (undefined) or a container's, by descriptor. */
export type Exit = { readonly fd: number } | undefined;

interface Waiting {
  readonly query: Query;
  readonly server: Server;
  readonly settle: (response: Buffer | undefined) => void;
  readonly timer: NodeJS.Timeout;
}

/** One UDP socket and the queries that wait on it. */
class Exchange {
  readonly #socket: UdpSocket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #closed: () => void;
  #idle: NodeJS.Timeout | undefined;

  constructor(socket: UdpSocket, closed: () => void) {
    this.#socket = socket;
    this.#closed = closed;
    socket.on('message', (message, from) => this.#receive(message, from));
    socket.on('error', () => this.close());
  }

  ask(server: Server, query: Query, message: Buffer): Promise<Buffer | undefined> {
    clearTimeout(this.#idle);
    return new Promise((resolve) => {
      const id = this.#freeId();
      const settle = (response: Buffer | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        if (this.#waiting.size === 0) this.#idle = setTimeout(() => this.close(), idleMs);
        resolve(response);
      };
      const timer = setTimeout(() => settle(undefined), timeoutMs);
      this.#waiting.set(id, { query, server, settle, timer });
      this.#socket.send(withId(message, id), server.port, server.address, (error) => {
        if (error !== null) settle(undefined);
      });
    });
  }

  close(): void {
    clearTimeout(this.#idle);
    this.#closed();
    for (const { settle } of this.#waiting.values()) settle(undefined);
    clearTimeout(this.#idle);
    try {
      this.#socket.close();
    } catch {
      // Closed already by an error of its own.
    }
  }

  #freeId(): number {
    for (;;) {
      const id = randomInt(0x10000);
      if (!this.#waiting.has(id)) return id;
    }
  }

  #receive(message: Buffer, from: { readonly address: string; readonly port: number }): void {
    if (message.length < 12) return;
    const waiting = this.#waiting.get(message.readUInt16BE(0));
    if (waiting === undefined || from.port !== waiting.server.port) return;
    if (from.address !== waiting.server.address || !answersQuestion(message, waiting.query)) return;
    waiting.settle(withId(message, waiting.query.id));
  }
}

const isVersion6 = (server: Server): boolean => isIPv6(server.address);

/** The sockets towards servers of one namespace, made when needed. */
export class Upstream {
  readonly #host: Pick<LightHost, 'openSocket'>;
  readonly #exit: Exit;
  readonly #exchanges = new Map<boolean, Promise<Exchange>>();

  constructor(host: Pick<LightHost, 'openSocket'>, exit: Exit) {
    this.#host = host;
    this.#exit = exit;
  }

  /** Undefined when no answer came in time. */
  async askUdp(server: Server, query: Query, message: Buffer): Promise<Buffer | undefined> {
    try {
      const exchange = await this.#exchange(isVersion6(server));
      return await exchange.ask(server, query, message);
    } catch {
      return undefined;
    }
  }

  /** One query over a connection of its own: what came by TCP, or was cut short, goes on by TCP. */
  async askTcp(server: Server, query: Query, message: Buffer): Promise<Buffer | undefined> {
    try {
      const address = isVersion6(server) ? '::' : '0.0.0.0';
      const { fd } = await this.#host.openSocket(this.#exit, { type: 'tcp', address, port: 0 });
      // `manualStart` keeps Node from reading a socket that is not connected yet; it is no documented option.
      const options: SocketConstructorOpts & { manualStart: boolean } = { fd, manualStart: true };
      return await exchangeTcp(new TcpSocket(options), server, query, message);
    } catch {
      return undefined;
    }
  }

  async close(): Promise<void> {
    const open = [...this.#exchanges.values()];
    this.#exchanges.clear();
    for (const exchange of await Promise.allSettled(open))
      if (exchange.status === 'fulfilled') exchange.value.close();
  }

  #exchange(version6: boolean): Promise<Exchange> {
    const open = this.#exchanges.get(version6);
    if (open !== undefined) return open;
    const made = this.#open(version6);
    this.#exchanges.set(version6, made);
    made.catch(() => this.#exchanges.delete(version6));
    return made;
  }

  async #open(version6: boolean): Promise<Exchange> {
    const address = version6 ? '::' : '0.0.0.0';
    const { fd } = await this.#host.openSocket(this.#exit, { type: 'udp', address, port: 0 });
    const socket = createSocket(version6 ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ fd }, () => {
        socket.removeListener('error', reject);
        resolve();
      });
    });
    return new Exchange(socket, () => this.#exchanges.delete(version6));
  }
}

function exchangeTcp(
  socket: TcpSocket,
  server: Server,
  query: Query,
  message: Buffer,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    const settle = (response: Buffer | undefined): void => {
      socket.destroy();
      resolve(response);
    };
    socket.setTimeout(timeoutMs, () => settle(undefined));
    socket.on('error', () => settle(undefined));
    socket.on('close', () => settle(undefined));
    socket.connect(server.port, server.address, () => {
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        const length = received.length >= 2 ? received.readUInt16BE(0) : Infinity;
        if (received.length < length + 2) return;
        const response = Buffer.from(received.subarray(2, length + 2));
        settle(answersQuestion(response, query) ? withId(response, query.id) : undefined);
      });
      const head = Buffer.alloc(2);
      head.writeUInt16BE(message.length);
      socket.write(Buffer.concat([head, message]));
    });
  });
}

/** `address` or `address:port`, IPv6 with port in brackets. */
export function parseServer(text: string): Server {
  const bracketed = /^\[(.+)\]:(\d+)$/.exec(text) ?? /^([^:]+):(\d+)$/.exec(text);
  if (bracketed?.[1] !== undefined) return { address: bracketed[1], port: Number(bracketed[2]) };
  return { address: text, port: 53 };
}
