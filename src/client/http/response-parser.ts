/**
 * HTTP/1.1 responses from bytes in pieces of any size: heads, bodies by length, by chunks or up to the end of the
 * connection, interim 1xx answers, and the switch to raw bytes that Docker calls hijacking. Of our own because
 * `node:http` costs the compiled CLI 3 to 5 ms at each start (see bench).
 */

export interface Head {
  readonly status: number;
  readonly reason: string;
  /** Names in lower case; repeated fields joined by a comma. */
  readonly headers: ReadonlyMap<string, string>;
}

export interface ParserEvents {
  onHead(head: Head): void;
  onData(chunk: Uint8Array): void;
  /** The body is complete; `reusable` when another request may follow on the connection. */
  onEnd(reusable: boolean): void;
}

export interface ResponseExpectation {
  /** The request was HEAD: no body whatever the headers say. */
  readonly head: boolean;
  /** All that follows a head of 101 or 2xx is raw bytes. */
  readonly hijack: boolean;
}

const MAX_HEAD = 256 * 1024;

type State =
  | 'head'
  | 'length'
  | 'chunk-size'
  | 'chunk-data'
  | 'chunk-end'
  | 'trailer'
  | 'until-close'
  | 'raw'
  | 'done';

function parseHead(text: string): Head {
  const lines = text.split('\r\n');
  const match = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(lines[0] ?? '');
  if (match === null)
    throw new Error(`malformed HTTP response ${JSON.stringify((lines[0] ?? '').slice(0, 80))}`);
  const headers = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(':');
    if (colon <= 0) throw new Error(`malformed HTTP header ${JSON.stringify(line.slice(0, 80))}`);
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return { status: Number(match[1]), reason: match[2] ?? '', headers };
}

export class ResponseParser {
  readonly #events: ParserEvents;
  readonly #expect: ResponseExpectation;
  #state: State = 'head';
  #pending: Buffer = Buffer.alloc(0);
  #left = 0;
  #keepAlive = true;

  constructor(events: ParserEvents, expect: ResponseExpectation) {
    this.#events = events;
    this.#expect = expect;
  }

  /** Whether the whole response has been seen. */
  get done(): boolean {
    return this.#state === 'done';
  }

  /** Takes bytes of the connection. Throws an Error when they are not HTTP. */
  feed(chunk: Uint8Array): void {
    let rest: Buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#pending.length > 0) {
      rest = Buffer.concat([this.#pending, rest]);
      this.#pending = Buffer.alloc(0);
    }
    while (rest.length > 0) {
      const used = this.#step(rest);
      if (used === 0) {
        this.#pending = rest;
        return;
      }
      rest = rest.subarray(used);
    }
  }

  /** The peer ended the connection. Throws when that cuts a response short. */
  close(): void {
    if (this.#state === 'until-close' || this.#state === 'raw') this.#finish(false);
    else if (this.#state !== 'done') throw new Error('unexpected EOF');
  }

  #finish(reusable: boolean): void {
    this.#state = 'done';
    this.#events.onEnd(reusable);
  }

  /** Handles the front of `data`; answers the bytes used, 0 when more are needed. */
  #step(data: Buffer): number {
    switch (this.#state) {
      case 'head':
        return this.#takeHead(data);
      case 'length':
      case 'chunk-data':
        return this.#takeCounted(data);
      case 'chunk-size':
      case 'chunk-end':
      case 'trailer':
        return this.#takeLine(data);
      case 'until-close':
      case 'raw':
        this.#events.onData(data);
        return data.length;
      case 'done':
        throw new Error('unexpected bytes after the HTTP response');
    }
  }

  #takeHead(data: Buffer): number {
    const end = data.indexOf('\r\n\r\n');
    if (end < 0) {
      if (data.length > MAX_HEAD) throw new Error('HTTP response head is too long');
      return 0;
    }
    const head = parseHead(data.toString('latin1', 0, end));
    if (head.status >= 100 && head.status < 200 && head.status !== 101) return end + 4;
    this.#keepAlive = head.headers.get('connection')?.toLowerCase() !== 'close';
    this.#events.onHead(head);
    this.#startBody(head);
    return end + 4;
  }

  #startBody(head: Head): void {
    if (head.status === 101 || (this.#expect.hijack && head.status < 300)) {
      this.#state = 'raw';
      return;
    }
    const length = head.headers.get('content-length');
    if (this.#expect.head || head.status === 204 || head.status === 304) this.#finish(this.#keepAlive);
    else if (/\bchunked\b/i.test(head.headers.get('transfer-encoding') ?? '')) this.#state = 'chunk-size';
    else if (length === undefined) this.#state = 'until-close';
    else {
      this.#left = Number(length);
      if (!Number.isSafeInteger(this.#left) || this.#left < 0)
        throw new Error(`bad Content-Length ${length}`);
      this.#state = 'length';
      if (this.#left === 0) this.#finish(this.#keepAlive);
    }
  }

  #takeCounted(data: Buffer): number {
    const part = data.subarray(0, this.#left);
    this.#left -= part.length;
    this.#events.onData(part);
    if (this.#left === 0) {
      if (this.#state === 'length') this.#finish(this.#keepAlive);
      else this.#state = 'chunk-end';
    }
    return part.length;
  }

  #takeLine(data: Buffer): number {
    const end = data.indexOf('\r\n');
    if (end < 0) {
      if (data.length > MAX_HEAD) throw new Error('HTTP chunk line is too long');
      return 0;
    }
    const line = data.toString('latin1', 0, end);
    if (this.#state === 'chunk-end') this.#state = 'chunk-size';
    else if (this.#state === 'trailer') {
      if (line === '') this.#finish(this.#keepAlive);
    } else {
      const size = /^([0-9a-fA-F]+)\s*(;.*)?$/.exec(line)?.[1];
      if (size === undefined) throw new Error(`malformed chunk size ${JSON.stringify(line.slice(0, 40))}`);
      this.#left = Number.parseInt(size, 16);
      this.#state = this.#left === 0 ? 'trailer' : 'chunk-data';
    }
    return end + 2;
  }
}
