/** Netlink sockets: synchronous exchanges on the calling thread. A socket belongs to the namespace the thread was in when it was opened. */

import type { SlipwayError } from '../../core/errors.ts';
import { checked, closeQuietly, kernelError } from '../ffi/kernel-error.ts';
import { libc, readErrno } from '../ffi/libc.ts';
import { align4, flag } from './attributes.ts';
import { controlType, parseMessages, parseReply, type NetlinkMessage } from './parse.ts';

export const AF_NETLINK = 16;
export const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_SOCKET = 1;
export const SOL_NETLINK = 270;
const SO_RCVTIMEO = 20;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
export const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;
export const EINTR = 4;
export const EAGAIN = 11;

export const netlinkFamily = { route: 0, ipsec: 6, netfilter: 12 } as const;

/** The kernel fills at most 32 KiB of a dump at a time; a single message (a large set) may be longer. */
const receiveBuffer = Buffer.alloc(128 * 1024);
/** A reply that has not come after this long will not come: the kernel answers while it takes the message. */
const replySeconds = 20;
/** Room for a ruleset of tens of thousands of elements in one batch. */
const sendBytes = 64 * 1024 * 1024;
const errorBytes = 4 * 1024 * 1024;

let sequence = 1;

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function setOption(fd: number, level: number, name: number, value: Buffer): void {
  checked(libc.setsockopt(fd, level, name, value, value.length), 'setsockopt', `netlink ${level}/${name}`);
}

/** Our changes carry this in the kernel's notifications: a bit that the kernel never gives by itself, and the process. */
export const ownPortBase = (0x40000000 | ((process.pid & 0x3fffff) << 8)) >>> 0;

/** Another process of this number, in a process namespace of its own, may have it: then the kernel chooses one. */
function bindOwn(fd: number, number: number): void {
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK);
  address.writeUInt32LE(ownPortBase | (number & 0xff), 4);
  libc.bind(fd, address, address.length);
}

/**
 * Opens a socket in the thread's present namespace, connected to the kernel so that nobody else can answer. With a number
 * of the caller's own (the thread's) what it changes is known as this process's.
 */
export function openNetlink(of: number, own?: number): number {
  const fd = checked(libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, of), 'socket', 'netlink');
  try {
    if (own !== undefined) bindOwn(fd, own);
    setOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, int32(1));
    setOption(fd, SOL_NETLINK, NETLINK_EXT_ACK, int32(1));
    const timeout = Buffer.alloc(16);
    timeout.writeBigInt64LE(BigInt(replySeconds));
    setOption(fd, SOL_SOCKET, SO_RCVTIMEO, timeout);
    const kernel = Buffer.alloc(12);
    kernel.writeUInt16LE(AF_NETLINK);
    checked(libc.connect(fd, kernel, kernel.length), 'connect', 'netlink');
  } catch (error) {
    closeQuietly(fd);
    throw error;
  }
  return fd;
}

function sendAll(fd: number, bytes: Uint8Array): void {
  const sent = libc.send(fd, bytes, bytes.length, 0);
  if (sent < 0) throw kernelError('send', readErrno(), 'netlink');
  if (sent !== bytes.length) throw kernelError('send', 90, `netlink: ${sent} of ${bytes.length} bytes`);
}

/** One datagram; undefined where `flags` says not to wait and there is none. */
function receive(fd: number, flags: number): NetlinkMessage[] | undefined {
  for (;;) {
    const length = libc.recv(fd, receiveBuffer, receiveBuffer.length, flags | MSG_TRUNC);
    if (length > receiveBuffer.length) throw kernelError('recv', 90, `netlink: an answer of ${length} bytes`);
    if (length >= 0) return parseMessages(Buffer.from(receiveBuffer.subarray(0, length)));
    const errno = readErrno();
    if (errno === EAGAIN && (flags & MSG_DONTWAIT) !== 0) return undefined;
    if (errno !== EINTR) throw kernelError('recv', errno, 'netlink');
  }
}

function stamped(message: Uint8Array, number: number): Buffer {
  if (message.length < 16) throw new RangeError('netlink message is shorter than its head');
  const bytes = Buffer.from(message);
  if (bytes.readUInt32LE(0) > bytes.length)
    throw new RangeError('netlink message claims more bytes than it has');
  bytes.writeUInt32LE(number, 8);
  return bytes;
}

function refused(errno: number, explanation: string, what: string, index = -1): SlipwayError {
  return kernelError('netlink', errno, explanation === '' ? what : `${what}: ${explanation}`, index);
}

/** Sends one message that asks for an acknowledgement and waits for it; returns the answers that came before it. */
export function transact(fd: number, message: Uint8Array, what: string): NetlinkMessage[] {
  const number = sequence++ >>> 0;
  sendAll(fd, stamped(message, number));
  const answers: NetlinkMessage[] = [];
  for (;;) {
    for (const answer of receive(fd, 0) ?? []) {
      if (answer.sequence !== number) continue;
      if (answer.type !== controlType.error) {
        answers.push(answer);
        continue;
      }
      const reply = parseReply(answer);
      if (reply.errno !== 0) throw refused(reply.errno, reply.explanation, what);
      return answers;
    }
  }
}

/** Sends a dump request and collects the messages; a dump that the kernel calls inconsistent is asked for again. */
export function dump(fd: number, message: Uint8Array, what: string): NetlinkMessage[] {
  for (let attempt = 0; ; attempt++) {
    const { answers, interrupted } = dumpOnce(fd, message, what);
    if (!interrupted || attempt === 9) return answers;
  }
}

function dumpOnce(
  fd: number,
  message: Uint8Array,
  what: string,
): { answers: NetlinkMessage[]; interrupted: boolean } {
  const number = sequence++ >>> 0;
  sendAll(fd, stamped(message, number));
  const answers: NetlinkMessage[] = [];
  let interrupted = false;
  for (;;) {
    for (const answer of receive(fd, 0) ?? []) {
      if (answer.sequence !== number) continue;
      if ((answer.flags & flag.dumpInterrupted) !== 0) interrupted = true;
      if (answer.type === controlType.error || answer.type === controlType.done) {
        const errno = answer.body.length >= 4 ? parseReply(answer).errno : 0;
        if (errno !== 0) throw refused(errno, parseReply(answer).explanation, what);
        return { answers, interrupted };
      }
      answers.push(answer);
      if ((answer.flags & flag.multi) === 0 && answers.length === 1) return { answers, interrupted };
    }
  }
}

/**
 * Sends messages as one datagram, as nfnetlink's batches need. The kernel works the batch off before `send` returns,
 * so whatever it refuses is waiting then; nothing waiting means that all was accepted. `offset` messages of frame
 * come first. Throws the first refusal with its position among the messages after them.
 */
export function sendBatch(fd: number, messages: readonly Uint8Array[], offset: number, what: string): void {
  const first = sequence;
  sequence += messages.length;
  const bytes = Buffer.concat(messages.map((message, at) => stamped(message, (first + at) >>> 0)));
  setOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, int32(Math.min(sendBytes, align4(bytes.length) * 2 + 65536)));
  setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, int32(errorBytes));
  sendAll(fd, bytes);
  let failure: SlipwayError | undefined;
  for (;;) {
    const answers = receive(fd, MSG_DONTWAIT);
    if (answers === undefined) break;
    for (const answer of answers) {
      const at = answer.sequence - first;
      if (answer.type !== controlType.error || at < 0 || at >= messages.length) continue;
      const reply = parseReply(answer);
      if (reply.errno !== 0) failure ??= refused(reply.errno, reply.explanation, what, at - offset);
    }
  }
  if (failure !== undefined) throw failure;
}
