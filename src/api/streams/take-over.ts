/**
 * Taking a connection out of HTTP, for attach, exec and the like. A client asks with `Upgrade: tcp` and gets `101`, or (older
 * ones) simply reads raw bytes after `200 OK`.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { invalid } from '../../core/errors.ts';
import { BodyTooLarge } from '../body.ts';
import { headRead, type UnreadOutput } from './head-read.ts';

/** A connection that has left HTTP. */
export interface HijackedStream {
  readonly socket: Duplex;
  /** What the client sent behind the request already. */
  readonly head: Buffer;
  /** The protocol asked for by an Upgrade header; undefined for a plain hijack (`200 OK`, then raw bytes). */
  readonly protocol: string | undefined;
  /** Output waits for this: see `head-read.ts`. */
  readonly headRead: Promise<void>;
}

const maximumBody = 1024 * 1024;
const silenceMs = 30_000;

/** What Node's `upgrade` event hands over: a socket without a parser, and the bytes behind the request's head. */
export class UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** The request came without an Upgrade header; one was put in for it by `first-packet.ts`. */
  readonly plain: boolean;
  #head: Buffer;
  #bodyRead = false;

  constructor(request: IncomingMessage, socket: Duplex, head: Buffer, plain: boolean) {
    this.request = request;
    this.socket = socket;
    this.plain = plain;
    this.#head = head;
  }

  /** Bytes behind the request and its body. */
  get head(): Buffer {
    return this.#head;
  }

  /** The request's body: Node 24 leaves it in front of what follows, later versions give it through the request. */
  async readBody(): Promise<string> {
    if (this.#bodyRead) return '';
    this.#bodyRead = true;
    const length = Number(this.request.headers['content-length'] ?? 0);
    if (this.request.headers['transfer-encoding'] !== undefined) {
      throw invalid('a request that upgrades its connection needs a Content-Length');
    }
    if (length > maximumBody) throw new BodyTooLarge();
    if (length === 0) return '';
    if (bodyComesThroughRequest) return await readRequest(this.request);
    while (this.#head.length < length) this.#head = Buffer.concat([this.#head, await this.#more()]);
    const text = this.#head.subarray(0, length).toString('utf8');
    this.#head = this.#head.subarray(length);
    return text;
  }

  #more(): Promise<Buffer> {
    const { socket } = this;
    return new Promise((resolve, reject) => {
      const finish = (result: () => void): void => {
        clearTimeout(timer);
        socket.off('data', onData).off('end', onEnd).off('close', onEnd);
        socket.pause();
        result();
      };
      const onData = (chunk: Buffer): void => finish(() => resolve(chunk));
      const onEnd = (): void => finish(() => reject(invalid('unexpected EOF')));
      const timer = setTimeout(
        () => finish(() => reject(invalid('timed out while reading request body'))),
        silenceMs,
      );
      socket.on('data', onData).on('end', onEnd).on('close', onEnd);
      socket.resume();
    });
  }
}

const bodyComesThroughRequest = Number(process.versions.node.split('.')[0]) >= 26;

async function readRequest(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function statusLine(upgrade: string | undefined, headers: Readonly<Record<string, string>>): string {
  const lines = [upgrade === undefined ? 'HTTP/1.1 200 OK' : 'HTTP/1.1 101 UPGRADED'];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (upgrade !== undefined) lines.push('Connection: Upgrade', `Upgrade: ${upgrade}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** Answers and returns the raw connection. */
export function takeOver(
  request: IncomingMessage,
  response: ServerResponse,
  upgrade: UpgradeRequest | undefined,
  headers: Readonly<Record<string, string>>,
  unread: UnreadOutput,
): HijackedStream {
  if (upgrade !== undefined) {
    response.detachSocket(upgrade.socket as Socket);
    const asked = request.headers.upgrade;
    const protocol = upgrade.plain || asked === undefined ? undefined : asked;
    upgrade.socket.write(statusLine(protocol, headers));
    return {
      socket: upgrade.socket,
      head: upgrade.head,
      protocol,
      headRead: headRead(upgrade.socket, unread),
    };
  }
  const { socket } = request;
  detachParser(socket);
  response.detachSocket(socket);
  socket.write(statusLine(undefined, headers));
  return { socket, head: Buffer.alloc(0), protocol: undefined, headRead: headRead(socket, unread) };
}

interface ParserHolder {
  parser?: { remove?: () => void } | null;
}

/**
 * A plain hijack on a connection that already served another request: the HTTP parser still listens. Without its listeners
 * it sees nothing more; `remove` takes it off the list that the server's timeouts go over.
 */
function detachParser(socket: Socket): void {
  const holder = socket as unknown as ParserHolder;
  // A listener for data makes Node read in JavaScript again, instead of inside the parser.
  socket.on('data', () => {});
  for (const event of ['data', 'end', 'close', 'drain', 'error', 'timeout', 'pause', 'resume']) {
    socket.removeAllListeners(event);
  }
  holder.parser?.remove?.();
  socket.on('error', () => {});
  socket.setTimeout(0);
  socket.pause();
}
