/** The records of a response that came from a server behind: read with every length checked, aged, judged. Pure. */

import { headBytes, recordType, responseCode } from './wire.ts';

/** Where a name ends, which may be a pointer to one before it; -1 when it runs out of the message or leads in a circle. */
function skipName(message: Buffer, offset: number): number {
  let at = offset;
  for (;;) {
    const length = message[at];
    if (length === undefined) return -1;
    if (length === 0) return at + 1;
    if ((length & 0xc0) === 0xc0) {
      const target = ((length & 0x3f) << 8) | (message[at + 1] ?? 0xff);
      return target < offset ? at + 2 : -1;
    }
    if (length > 63) return -1;
    at += length + 1;
  }
}

interface RecordHead {
  readonly type: number;
  /** Where its time to live stands. */
  readonly ttlAt: number;
  readonly ttl: number;
  readonly dataAt: number;
  readonly dataLength: number;
  /** In the authority part or behind it. */
  readonly isAnswer: boolean;
}

/** The records of a response in order; undefined when it is not well-formed. */
function records(message: Buffer): RecordHead[] | undefined {
  const found: RecordHead[] = [];
  let at = headBytes;
  for (let left = message.readUInt16BE(4); left > 0; left--) at = skipTo(message, at, 4);
  const answers = message.readUInt16BE(6);
  const total = answers + message.readUInt16BE(8) + message.readUInt16BE(10);
  for (let number = 0; number < total; number++) {
    const end = at < 0 ? -1 : skipName(message, at);
    if (end < 0 || end + 10 > message.length) return undefined;
    const dataLength = message.readUInt16BE(end + 8);
    const [type, ttl] = [message.readUInt16BE(end), message.readUInt32BE(end + 4)];
    const dataAt = end + 10;
    if (dataAt + dataLength > message.length) return undefined;
    found.push({ type, ttl, ttlAt: end + 4, dataAt, dataLength, isAnswer: number < answers });
    at = dataAt + dataLength;
  }
  return found;
}

const skipTo = (message: Buffer, at: number, more: number): number => {
  const end = at < 0 ? -1 : skipName(message, at);
  return end < 0 ? -1 : end + more;
};

const addressBytes: Readonly<Record<number, number>> = { [recordType.A]: 4, [recordType.AAAA]: 16 };

/** Whether a response can be handed on: its records are all there, and its addresses are addresses. */
export function isSound(message: Buffer): boolean {
  if (message.length < headBytes) return false;
  // Cut short, wherever that was: the asker comes back by TCP.
  if ((message.readUInt16BE(2) & 0x0200) !== 0) return true;
  const all = records(message);
  return (
    all !== undefined &&
    all.every(({ type, dataLength }) => (addressBytes[type] ?? dataLength) === dataLength)
  );
}

const longestLifetime = 3600;

/**
 * Seconds for which a response may be kept: the least of its records; for what does not exist, the least of the SOA record's
 * own time and its last field (RFC 2308). 0 for failures, for what was cut short and for what is not well-formed.
 */
export function lifetime(message: Buffer): number {
  if (message.length < headBytes) return 0;
  const flags = message.readUInt16BE(2);
  const code = flags & 0xf;
  const isTruncated = (flags & 0x0200) !== 0;
  if (isTruncated || (code !== responseCode.noError && code !== responseCode.nameError)) return 0;
  const all = records(message)?.filter((record) => record.type !== recordType.OPT);
  if (all === undefined) return 0;
  if (code === responseCode.noError && all.some((record) => record.isAnswer))
    return Math.min(longestLifetime, ...all.map((record) => record.ttl));
  const soa = all.find((record) => record.type === recordType.SOA && record.dataLength >= 20);
  if (soa === undefined) return 0;
  const minimum = message.readUInt32BE(soa.dataAt + soa.dataLength - 4);
  return Math.min(longestLifetime, minimum, soa.ttl);
}

/** A copy whose records have `seconds` less to live. */
export function withAge(message: Buffer, seconds: number): Buffer {
  const copy = Buffer.from(message);
  for (const record of records(copy) ?? [])
    if (record.type !== recordType.OPT) copy.writeUInt32BE(Math.max(0, record.ttl - seconds), record.ttlAt);
  return copy;
}
