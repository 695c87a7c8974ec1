/**
 * Datagrams by the batch: what waits on a socket is read by one system call and answered by another. Node reads and sends
 * one at a time, and spends several times as long on each as a name server on its answer. Nothing is allocated for one.
 */

import { addressOf, libc, readErrno } from '../ffi/libc.ts';
import { DatagramOutput } from './datagram-output.ts';

const MSG_DONTWAIT = 0x40;
const EINTR = 4;
const AF_INET = 2;
const batch = 64;
/** Larger datagrams are cut, as a name server that reads into a buffer of its own does; no answer may be larger. */
const datagramBytes = 4096;
/** struct mmsghdr: a msghdr of 56 bytes and the number of bytes; struct iovec; struct sockaddr_in. */
const headBytes = 64;
const lengthWord = 14;
const vectorBytes = 16;
const addressBytes = 16;

export interface DatagramSource {
  readonly address: string;
  readonly port: number;
}

/** The bytes from `start` to `end`; they hold until the answer has been given. */
export interface Datagram {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly source: () => DatagramSource;
}

/** Writes the answer into `out` from `at` on, 4096 bytes at most; its bytes, or 0 for none (or for one that comes later, by other means). */
export type DatagramAnswer = (datagram: Datagram, out: Buffer, at: number) => number;

/** One that was read by other means, and is answered with the others. */
export interface ReadDatagram {
  readonly message: Buffer;
  readonly source: DatagramSource;
}

/** The first two words of struct sockaddr_in, as they lie in memory. */
const portWordOf = (port: number): number => (AF_INET | ((port & 0xff) << 24) | ((port >> 8) << 16)) >>> 0;

function addressWordOf(address: string): number {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
}

/** Of IPv4 sockets. One for a thread: its buffers are used again by each call. */
export class Datagrams {
  readonly #heads = Buffer.alloc(batch * headBytes);
  readonly #headWords = new Uint32Array(this.#heads.buffer, this.#heads.byteOffset, this.#heads.length / 4);
  readonly #vectors = Buffer.alloc(batch * vectorBytes);
  readonly #addresses = Buffer.alloc(batch * addressBytes);
  readonly #addressWords = new Uint32Array(
    this.#addresses.buffer,
    this.#addresses.byteOffset,
    this.#addresses.length / 4,
  );
  readonly #data = Buffer.alloc(batch * datagramBytes);
  /** Room for a batch and one that was read by other means. */
  readonly #output = new DatagramOutput(batch + 1, datagramBytes);
  #current = 0;
  readonly #datagram = { bytes: this.#data, start: 0, end: 0, source: () => this.#source() };

  constructor() {
    for (let at = 0; at < batch; at++) {
      const head = at * headBytes;
      this.#heads.writeBigUInt64LE(addressOf(this.#addresses) + BigInt(at * addressBytes), head);
      this.#heads.writeUInt32LE(addressBytes, head + 8);
      this.#heads.writeBigUInt64LE(addressOf(this.#vectors) + BigInt(at * vectorBytes), head + 16);
      this.#heads.writeBigUInt64LE(1n, head + 24);
      this.#vectors.writeBigUInt64LE(addressOf(this.#data) + BigInt(at * datagramBytes), at * vectorBytes);
      this.#vectors.writeUInt32LE(datagramBytes, at * vectorBytes + 8);
    }
  }

  /** Reads up to 64 waiting datagrams and sends their answers; how many there were. `first` is answered before them. */
  answer(fd: number, answer: DatagramAnswer, first?: ReadDatagram): number {
    if (first !== undefined) this.#answerRead(answer, first);
    const count = this.#receive(fd);
    const datagram = this.#datagram;
    for (let at = 0; at < count; at++) {
      this.#current = at;
      datagram.start = at * datagramBytes;
      datagram.end = datagram.start + (this.#headWords[at * 16 + lengthWord] ?? 0);
      // The kernel writes the address's length there; it is the same for all of this family.
      this.#headWords[at * 16 + 2] = addressBytes;
      const size = answer(datagram, this.#output.data, this.#output.end);
      if (size === 0) continue;
      this.#output.add(size, this.#addressWords[at * 4] ?? 0, this.#addressWords[at * 4 + 1] ?? 0);
    }
    this.#output.send(fd);
    return count;
  }

  #answerRead(answer: DatagramAnswer, { message, source }: ReadDatagram): void {
    const datagram = { bytes: message, start: 0, end: message.length, source: () => source };
    const size = answer(datagram, this.#output.data, this.#output.end);
    if (size > 0) this.#output.add(size, portWordOf(source.port), addressWordOf(source.address));
  }

  #source(): DatagramSource {
    const at = this.#current * addressBytes;
    return {
      address: this.#addresses.subarray(at + 4, at + 8).join('.'),
      port: this.#addresses.readUInt16BE(at + 2),
    };
  }

  #receive(fd: number): number {
    for (;;) {
      const count = libc.recvmmsg(fd, this.#heads, batch, MSG_DONTWAIT, null);
      if (count >= 0 || readErrno() !== EINTR) return Math.max(0, count);
    }
  }
}
