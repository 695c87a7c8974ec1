/** One connection to slipway-net: requests go out as they come, replies are matched by their id. */

import { connect, type Socket } from 'node:net';
import { SlipwayError, unavailable } from '../../core/errors.ts';
import {
  LineReader,
  type NetdOperation,
  type NetdReplies,
  type NetdReply,
  type NetdRequests,
} from '../../core/netd-protocol.ts';

/** Thrown for what was under way when the connection broke: every operation may be asked again. */
export class ConnectionLost extends Error {
  override name = 'ConnectionLost';
}

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

export class Connection {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  constructor(socket: Socket, lost: () => void) {
    this.#socket = socket;
    const reader = new LineReader();
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      try {
        for (const line of reader.push(chunk)) this.#settle(JSON.parse(line) as NetdReply);
      } catch {
        socket.destroy();
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values())
        reject(new ConnectionLost('connection to slipway-net lost'));
      this.#waiting.clear();
      lost();
    });
  }

  call<K extends NetdOperation>(op: K, input: NetdRequests[K]): Promise<NetdReplies[K]> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(new ConnectionLost('connection to slipway-net lost'));
        return;
      }
      const id = ++this.#last;
      this.#waiting.set(id, { resolve, reject });
      this.#socket.write(`${JSON.stringify({ id, op, input })}\n`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #settle(reply: NetdReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('error' in reply) waiting?.reject(new SlipwayError(reply.error.kind, reply.error.message));
    else waiting?.resolve(reply.result as never);
  }
}

/** `unavailable` when nobody listens. */
export function openConnection(path: string, lost: () => void): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const refuse = (error: Error): void =>
      reject(unavailable(`slipway-net does not answer: ${error.message}`, error));
    socket.once('error', refuse);
    socket.once('connect', () => {
      socket.removeListener('error', refuse);
      resolve(new Connection(socket, lost));
    });
  });
}
