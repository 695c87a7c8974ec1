/**
 * Datagrams by the batch: what waits on a socket is read by one system call and answered by another. Node reads and sends
 * one at a time, and spends several times as long on each as a name server on its answer.
 */

import { addressOf, libc, readErrno } from '../ffi/libc.ts';
import { formatIp, ipFromBytes } from '../../core/ip.ts';

const MSG_DONTWAIT = 0x40;
const EINTR = 4;
const batch = 64;
/** Larger datagrams are cut, as a name server that reads into a buffer of its own does. */
const datagramBytes = 4096;
/** struct mmsghdr: a msghdr of 56 bytes and the number of bytes; struct iovec; struct sockaddr_in. */
const headBytes = 64;
const lengthAt = 56;
const vectorBytes = 16;
const addressBytes = 16;

export interface DatagramSource {
  readonly address: string;
  readonly port: number;
}

/** Answers at once, or undefined for none (or for one that comes later, by other means). */
export type DatagramAnswer = (message: Buffer, from: () => DatagramSource) => Uint8Array | undefined;

interface Ring {
  readonly heads: Buffer;
  readonly vectors: Buffer;
  readonly addresses: Buffer;
  readonly data: Buffer;
}

function makeRing(): Ring {
  const ring: Ring = {
    heads: Buffer.alloc(batch * headBytes),
    vectors: Buffer.alloc(batch * vectorBytes),
    addresses: Buffer.alloc(batch * addressBytes),
    data: Buffer.alloc(batch * datagramBytes),
  };
  const [vectors, addresses, data] = [ring.vectors, ring.addresses, ring.data].map(addressOf);
  for (let at = 0; at < batch; at++) {
    const head = at * headBytes;
    const vector = at * vectorBytes;
    ring.heads.writeBigUInt64LE((addresses ?? 0n) + BigInt(at * addressBytes), head);
    ring.heads.writeUInt32LE(addressBytes, head + 8);
    ring.heads.writeBigUInt64LE((vectors ?? 0n) + BigInt(vector), head + 16);
    ring.heads.writeBigUInt64LE(1n, head + 24);
    ring.vectors.writeBigUInt64LE((data ?? 0n) + BigInt(at * datagramBytes), vector);
    ring.vectors.writeUInt32LE(datagramBytes, vector + 8);
  }
  return ring;
}

/** Of IPv4 sockets. One for a thread: its buffers are used again by each call. */
export class Datagrams {
  readonly #received = makeRing();
  readonly #answers = makeRing();

  /** Reads up to 64 waiting datagrams and sends their answers; how many there were. */
  answer(fd: number, answer: DatagramAnswer): number {
    const { heads, addresses, data } = this.#received;
    for (let at = 0; at < batch; at++) heads.writeUInt32LE(addressBytes, at * headBytes + 8);
    const count = this.#receive(fd);
    let answers = 0;
    for (let at = 0; at < count; at++) {
      const start = at * datagramBytes;
      const message = data.subarray(start, start + heads.readUInt32LE(at * headBytes + lengthAt));
      const address = at * addressBytes;
      const from = (): DatagramSource => ({
        address: formatIp(ipFromBytes(addresses.subarray(address + 4, address + 8))),
        port: addresses.readUInt16BE(address + 2),
      });
      const response = answer(message, from);
      if (response === undefined || response.length > datagramBytes) continue;
      this.#place(answers++, response, addresses.subarray(address, address + addressBytes));
    }
    this.#send(fd, answers);
    return count;
  }

  #receive(fd: number): number {
    for (;;) {
      const count = libc.recvmmsg(fd, this.#received.heads, batch, MSG_DONTWAIT, null);
      if (count >= 0 || readErrno() !== EINTR) return Math.max(0, count);
    }
  }

  #place(at: number, response: Uint8Array, to: Uint8Array): void {
    this.#answers.data.set(response, at * datagramBytes);
    this.#answers.addresses.set(to, at * addressBytes);
    this.#answers.vectors.writeUInt32LE(response.length, at * vectorBytes + 8);
  }

  /** What the socket does not take is lost, as datagrams are; the rest goes on behind the one that failed. */
  #send(fd: number, count: number): void {
    let done = 0;
    while (done < count) {
      const heads = this.#answers.heads.subarray(done * headBytes);
      const sent = libc.sendmmsg(fd, heads, count - done, MSG_DONTWAIT);
      if (sent < 0 && readErrno() === EINTR) continue;
      done += Math.max(1, sent);
    }
  }
}
