/** The server side of a WebSocket (RFC 6455) as a byte stream, for `/containers/{id}/attach/ws`. */

import { createHash } from 'node:crypto';
import { Duplex } from 'node:stream';

const acceptGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const maximumFrame = 1024 * 1024;

/** The value of `Sec-WebSocket-Accept` for a client's key. */
export function acceptKey(key: string): string {
  return createHash('sha1')
    .update(key + acceptGuid)
    .digest('base64');
}

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

function encodeFrame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65536 ? 2 : 8;
  const frame = Buffer.allocUnsafe(2 + extended + length);
  frame[0] = 0x80 | opcode;
  frame[1] = extended === 0 ? length : extended === 2 ? 126 : 127;
  if (extended === 2) frame.writeUInt16BE(length, 2);
  else if (extended === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  payload.copy(frame, 2 + extended);
  return frame;
}

interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
  /** Bytes of the whole frame. */
  readonly size: number;
}

/** The first frame of the buffer, unmasked; undefined when it is incomplete, `bad` when it breaks the protocol. */
export function decodeFrame(buffer: Buffer): Frame | 'bad' | undefined {
  if (buffer.length < 2) return undefined;
  const first = buffer[0] as number;
  const second = buffer[1] as number;
  // Reserved bits are for extensions, of which none is offered; clients must mask.
  if ((first & 0x70) !== 0 || (second & 0x80) === 0) return 'bad';
  const short = second & 0x7f;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  if (buffer.length < 2 + extended) return undefined;
  const length =
    extended === 0 ? short : extended === 2 ? buffer.readUInt16BE(2) : Number(buffer.readBigUInt64BE(2));
  if (length > maximumFrame) return 'bad';
  const begin = 2 + extended + 4;
  if (buffer.length < begin + length) return undefined;
  const mask = buffer.subarray(begin - 4, begin);
  const payload = Buffer.from(buffer.subarray(begin, begin + length));
  for (let index = 0; index < length; index++) {
    payload[index] = (payload[index] as number) ^ (mask[index & 3] as number);
  }
  return { opcode: first & 0x0f, payload, size: begin + length };
}

/** What is written becomes binary messages, what messages hold can be read. The close frame ends both directions. */
export class WebSocketStream extends Duplex {
  readonly #socket: Duplex;
  #pending: Buffer;
  #closeSent = false;

  constructor(socket: Duplex, head: Buffer) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#pending = head;
    socket.on('data', (chunk: Buffer) => {
      this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
      this.#consume();
    });
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
    if (head.length > 0) queueMicrotask(() => this.#consume());
  }

  #consume(): void {
    for (;;) {
      const frame = decodeFrame(this.#pending);
      if (frame === undefined) return;
      if (frame === 'bad') return this.#sendClose(1002);
      this.#pending = this.#pending.subarray(frame.size);
      if (frame.opcode === opcodes.ping) this.#socket.write(encodeFrame(opcodes.pong, frame.payload));
      else if (frame.opcode === opcodes.close) {
        this.push(null);
        return this.#sendClose(1000);
      } else if (frame.opcode <= opcodes.binary && frame.payload.length > 0 && !this.push(frame.payload)) {
        this.#socket.pause();
      }
    }
  }

  #sendClose(code: number): void {
    if (this.#closeSent) return;
    this.#closeSent = true;
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code, 0);
    this.#socket.end(encodeFrame(opcodes.close, payload));
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#closeSent || this.#socket.destroyed) return done();
    if (this.#socket.write(encodeFrame(opcodes.binary, chunk))) return done();
    const next = (): void => {
      this.#socket.off('close', next).off('drain', next);
      done();
    };
    this.#socket.on('drain', next).on('close', next);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#sendClose(1000);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
