/**
 * Answers of a batch on their way out. Neighbours to one asker leave as one message that the kernel cuts into datagrams
 * where the asker's socket takes them (UDP_SEGMENT, Linux 4.18): routing, firewall and connection tracking see it once.
 */

import { addressOf, libc, readErrno } from '../ffi/libc.ts';

const MSG_DONTWAIT = 0x40;
const EINTR = 4;
/** What the kernel says where it does not cut: options of the socket, transformations, a small MTU. */
const notCut: ReadonlySet<number> = new Set([5, 22, 90]);
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
/** The kernel's own limits of such a message. */
const maxSegments = 64;
const maxMessageBytes = 65_507;
/** struct mmsghdr: a msghdr of 56 bytes and the number of bytes; struct iovec; struct sockaddr_in; struct cmsghdr and two bytes. */
const headBytes = 64;
const vectorBytes = 16;
const addressBytes = 16;
const controlBytes = 24;
const controlLength = 18;
const word = 4;

const words = (buffer: Buffer): Uint32Array =>
  new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.length / word);

export class DatagramOutput {
  /** Answers are written here, each from `end` on. */
  readonly data: Buffer;
  end = 0;
  readonly #start: number;
  readonly #heads: Buffer;
  readonly #headWords: Uint32Array;
  readonly #vectors: Uint32Array;
  readonly #addresses: Uint32Array;
  readonly #controls: Uint32Array;
  /** Bytes of each datagram of a message, and how many there are. */
  readonly #sizes: Uint32Array;
  readonly #segments: Uint32Array;
  #count = 0;
  /** A datagram shorter than the first can only be the last of a message. */
  #isOpen = false;

  constructor(capacity: number, datagramBytes: number) {
    this.data = Buffer.alloc(capacity * datagramBytes);
    this.#start = Number(addressOf(this.data));
    this.#heads = Buffer.alloc(capacity * headBytes);
    const vectors = Buffer.alloc(capacity * vectorBytes);
    const addresses = Buffer.alloc(capacity * addressBytes);
    const controls = Buffer.alloc(capacity * controlBytes);
    for (let at = 0; at < capacity; at++) {
      const head = at * headBytes;
      const control = at * controlBytes;
      this.#heads.writeBigUInt64LE(addressOf(addresses) + BigInt(at * addressBytes), head);
      this.#heads.writeUInt32LE(addressBytes, head + 8);
      this.#heads.writeBigUInt64LE(addressOf(vectors) + BigInt(at * vectorBytes), head + 16);
      this.#heads.writeBigUInt64LE(1n, head + 24);
      this.#heads.writeBigUInt64LE(addressOf(controls) + BigInt(control), head + 32);
      controls.writeBigUInt64LE(BigInt(controlLength), control);
      controls.writeUInt32LE(SOL_UDP, control + 8);
      controls.writeUInt32LE(UDP_SEGMENT, control + 12);
    }
    this.#headWords = words(this.#heads);
    this.#vectors = words(vectors);
    this.#addresses = words(addresses);
    this.#controls = words(controls);
    this.#sizes = new Uint32Array(capacity);
    this.#segments = new Uint32Array(capacity);
  }

  /** The `size` bytes at `end` go to that address: the first two words of struct sockaddr_in. */
  add(size: number, portWord: number, addressWord: number): void {
    if (!this.#join(size, portWord, addressWord)) {
      const at = this.#count++;
      this.#place(at, this.end, size, 1);
      this.#sizes[at] = size;
      this.#addresses[at * 4] = portWord;
      this.#addresses[at * 4 + 1] = addressWord;
      this.#isOpen = true;
    }
    this.end += size;
  }

  /** Appends to the last message where it goes to the same asker and can be cut where it must be. */
  #join(size: number, portWord: number, addressWord: number): boolean {
    const at = this.#count - 1;
    if (!this.#isOpen || at < 0) return false;
    if (this.#addresses[at * 4] !== portWord || this.#addresses[at * 4 + 1] !== addressWord) return false;
    const [first = 0, segments = 0, bytes = 0] = [
      this.#sizes[at],
      this.#segments[at],
      this.#vectors[at * 4 + 2],
    ];
    if (size > first || segments === maxSegments || bytes + size > maxMessageBytes) return false;
    this.#vectors[at * 4 + 2] = bytes + size;
    this.#segments[at] = segments + 1;
    this.#headWords[at * 16 + 10] = controlBytes;
    this.#controls[at * 6 + 4] = first;
    this.#isOpen = size === first;
    return true;
  }

  #place(at: number, offset: number, size: number, segments: number): void {
    const pointer = this.#start + offset;
    this.#vectors[at * 4] = pointer % 2 ** 32;
    this.#vectors[at * 4 + 1] = Math.floor(pointer / 2 ** 32);
    this.#vectors[at * 4 + 2] = size;
    this.#headWords[at * 16 + 10] = 0;
    this.#segments[at] = segments;
  }

  /** Sends all and is empty again. What the socket does not take is lost, as datagrams are; the rest goes on behind it. */
  send(fd: number): void {
    let done = 0;
    while (done < this.#count) {
      const heads = done === 0 ? this.#heads : this.#heads.subarray(done * headBytes);
      const sent = libc.sendmmsg(fd, heads, this.#count - done, MSG_DONTWAIT);
      if (sent < 0) {
        const errno = readErrno();
        if (errno === EINTR) continue;
        if (notCut.has(errno) && (this.#segments[done] ?? 0) > 1) this.#sendOneByOne(fd, done);
      }
      done += Math.max(1, sent);
    }
    this.#count = 0;
    this.end = 0;
    this.#isOpen = false;
  }

  #sendOneByOne(fd: number, at: number): void {
    const head = this.#heads.subarray(at * headBytes, (at + 1) * headBytes);
    const low = this.#vectors[at * 4] ?? 0;
    const high = this.#vectors[at * 4 + 1] ?? 0;
    let offset = high * 2 ** 32 + low - this.#start;
    let left = this.#vectors[at * 4 + 2] ?? 0;
    const first = this.#sizes[at] ?? 0;
    while (left > 0) {
      const size = Math.min(first, left);
      this.#place(at, offset, size, 1);
      libc.sendmmsg(fd, head, 1, MSG_DONTWAIT);
      offset += size;
      left -= size;
    }
  }
}
