/** Reads netlink bytes. Pure; every length is checked against what is there, and a lie ends in an error, not in a wild read. */

import { align4 } from './attributes.ts';

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** What follows the 16 bytes of head. */
  readonly body: Buffer;
  /** Head and body. */
  readonly bytes: Buffer;
}

/** Attributes by type; of several with the same type the last one, as the kernel's own parser does. */
export type Attributes = ReadonlyMap<number, Buffer>;

export const controlType = { noop: 1, error: 2, done: 3, overrun: 4 } as const;

function viewOf(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** The messages of one datagram. */
export function parseMessages(datagram: Uint8Array): NetlinkMessage[] {
  const data = viewOf(datagram);
  const messages: NetlinkMessage[] = [];
  let offset = 0;
  while (offset < data.length) {
    if (data.length - offset < 16) throw new RangeError('netlink message is shorter than its head');
    const length = data.readUInt32LE(offset);
    if (length < 16 || length > data.length - offset) {
      throw new RangeError(`netlink message claims ${length} of ${data.length - offset} bytes`);
    }
    messages.push({
      type: data.readUInt16LE(offset + 4),
      flags: data.readUInt16LE(offset + 6),
      sequence: data.readUInt32LE(offset + 8),
      body: data.subarray(offset + 16, offset + length),
      bytes: data.subarray(offset, offset + length),
    });
    offset += align4(length);
  }
  return messages;
}

/** The attributes from `offset` to the end, in order. */
export function listAttributes(body: Uint8Array, offset = 0): { type: number; data: Buffer }[] {
  const view = viewOf(body);
  const list: { type: number; data: Buffer }[] = [];
  let at = offset;
  while (view.length - at >= 4) {
    const length = view.readUInt16LE(at);
    if (length < 4 || length > view.length - at) {
      throw new RangeError(`netlink attribute claims ${length} of ${view.length - at} bytes`);
    }
    // The two high bits say "nested" and "network order"; the kernel ignores them when it looks a type up.
    list.push({ type: view.readUInt16LE(at + 2) & 0x3fff, data: view.subarray(at + 4, at + length) });
    at += align4(length);
  }
  return list;
}

export function parseAttributes(body: Uint8Array, offset = 0): Attributes {
  return new Map(listAttributes(body, offset).map(({ type, data }) => [type, data]));
}

/** A string attribute without its closing zero; '' when it is absent. */
export function readText(attributes: Attributes, type: number): string {
  const data = attributes.get(type);
  if (data === undefined) return '';
  const end = data.indexOf(0);
  return data.toString('utf8', 0, end === -1 ? data.length : end);
}

export function readU32(attributes: Attributes, type: number): number | undefined {
  const data = attributes.get(type);
  return data === undefined || data.length < 4 ? undefined : data.readUInt32LE(0);
}

export function readBe32(attributes: Attributes, type: number): number | undefined {
  const data = attributes.get(type);
  return data === undefined || data.length < 4 ? undefined : data.readUInt32BE(0);
}

export interface NetlinkReply {
  /** Positive errno; 0 is an acknowledgement. */
  readonly errno: number;
  /** The kernel's own explanation (extended ack), '' when it gives none. */
  readonly explanation: string;
  readonly sequence: number;
}

const CAPPED = 0x100;
const HAS_EXPLANATION = 0x200;
const EXPLANATION = 1;

/** Decodes NLMSG_ERROR (and the errno in NLMSG_DONE): errno, the head of the refused message, then explanations. */
export function parseReply(reply: NetlinkMessage): NetlinkReply {
  if (reply.body.length < 4) throw new RangeError('netlink error is shorter than its errno');
  const errno = 0 - reply.body.readInt32LE(0);
  if (reply.type !== controlType.error) return { errno, explanation: '', sequence: reply.sequence };
  if (reply.body.length < 20) throw new RangeError('netlink error lacks the head of the refused message');
  const sequence = reply.body.readUInt32LE(12);
  if ((reply.flags & HAS_EXPLANATION) === 0) return { errno, explanation: '', sequence };
  const refused = reply.body.readUInt32LE(4);
  const offset = 4 + ((reply.flags & CAPPED) === 0 ? align4(refused) : 16);
  if (offset > reply.body.length)
    throw new RangeError('netlink error claims a refused message that is not there');
  return { errno, explanation: readText(parseAttributes(reply.body, offset), EXPLANATION), sequence };
}
