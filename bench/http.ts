/**
 * A small HTTP client over a unix socket, the same for both engines, so that what it costs is equal: one kept-alive
 * connection, one request at a time, lengths and chunks understood, nothing else.
 */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

interface Head {
  readonly status: number;
  readonly length: number | undefined;
  readonly chunked: boolean;
  readonly size: number;
}

function parseHead(data: Buffer): Head | undefined {
  const end = data.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const text = data.toString('latin1', 0, end);
  const status = Number(text.slice(9, 12));
  const length = /^content-length: *(\d+)/im.exec(text)?.[1];
  const bodiless = status === 204 || status === 304;
  return {
    status,
    length: bodiless ? 0 : length === undefined ? undefined : Number(length),
    chunked: /^transfer-encoding: *chunked/im.test(text),
    size: end + 4,
  };
}

/** The body of a chunked answer, or undefined while its end has not come. */
function parseChunks(data: Buffer, from: number): string | undefined {
  const parts: Buffer[] = [];
  let at = from;
  for (;;) {
    const line = data.indexOf('\r\n', at);
    if (line < 0) return undefined;
    const size = Number.parseInt(data.toString('latin1', at, line), 16);
    if (data.length < line + 2 + size + 2) return undefined;
    if (size === 0) return Buffer.concat(parts).toString('utf8');
    parts.push(data.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

function parseAnswer(data: Buffer): HttpAnswer | undefined {
  const head = parseHead(data);
  if (head === undefined) return undefined;
  if (head.chunked) {
    const body = parseChunks(data, head.size);
    return body === undefined ? undefined : { status: head.status, body };
  }
  const length = head.length ?? 0;
  if (data.length < head.size + length) return undefined;
  return { status: head.status, body: data.toString('utf8', head.size, head.size + length) };
}

export class HttpClient {
  readonly #path: string;
  #socket: Socket | undefined;

  constructor(socketPath: string) {
    this.#path = socketPath;
  }

  async #connection(): Promise<Socket> {
    const open = this.#socket;
    if (open !== undefined && !open.destroyed && open.writable) return open;
    const socket = connect(this.#path);
    await once(socket, 'connect');
    this.#socket = socket;
    return socket;
  }

  /** Fails on a status of 400 or more: a benchmark of errors means nothing. */
  async request(
    method: string,
    path: string,
    body?: string | Buffer,
    type = 'application/json',
    headers: Readonly<Record<string, string>> = {},
  ): Promise<HttpAnswer> {
    const socket = await this.#connection();
    const payload = Buffer.from(body ?? '');
    const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `${method} ${path} HTTP/1.1\r\nHost: engine\r\nContent-Type: ${type}\r\nContent-Length: ${payload.length}\r\n${more.join('')}\r\n`;
    socket.write(Buffer.concat([Buffer.from(head), payload]));
    const answer = await this.#read(socket);
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${answer.body.trim()}`);
    return answer;
  }

  /** For answers that end with the connection, each on one of its own; resolves when it has ended. */
  async untilClosed(method: string, path: string, body: string): Promise<void> {
    const socket = connect(this.#path);
    await once(socket, 'connect');
    socket.write(
      `${method} ${path} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const [first] = (await once(socket, 'data')) as [Buffer];
    if (!first.toString('latin1').startsWith('HTTP/1.1 200')) throw new Error(first.toString('utf8'));
    socket.resume();
    await once(socket, 'end');
    socket.destroy();
  }

  async #read(socket: Socket): Promise<HttpAnswer> {
    let data: Buffer = Buffer.alloc(0);
    return await new Promise((resolve, reject) => {
      const done = (error: Error | undefined, answer?: HttpAnswer): void => {
        socket.off('data', onData).off('close', onClose).off('error', done);
        if (answer === undefined) reject(error ?? new Error('no answer'));
        else resolve(answer);
      };
      const onData = (chunk: Buffer): void => {
        data = data.length === 0 ? chunk : Buffer.concat([data, chunk]);
        const answer = parseAnswer(data);
        if (answer !== undefined) done(undefined, answer);
      };
      const onClose = (): void => done(new Error('the engine closed the connection'));
      socket.on('data', onData).on('close', onClose).on('error', done);
    });
  }

  close(): void {
    this.#socket?.destroy();
  }
}
