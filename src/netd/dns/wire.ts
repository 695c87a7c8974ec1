/** DNS messages as bytes (RFC 1035, 3596, 6891): one question in, short answers out. Pure; every length is checked. */

export const recordType = { A: 1, SOA: 6, PTR: 12, AAAA: 28, OPT: 41 } as const;
export const responseCode = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
} as const;
const classInternet = 1;
export const headBytes = 12;
const maxNameBytes = 255;

export interface Query {
  readonly id: number;
  /** Lower case, without the final dot. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  /** Head and question as they came, for the reply. */
  readonly question: Buffer;
  /** Largest UDP answer that the asker takes: 512 without EDNS. */
  readonly udpSize: number;
}

export interface Answer {
  readonly type: number;
  readonly ttl: number;
  readonly data: Uint8Array;
}

/** Labels from `offset` up to the closing zero; undefined when they are no plain name (pointers are not allowed in questions). */
function readName(message: Buffer, offset: number): { name: string; end: number } | undefined {
  const labels: string[] = [];
  let at = offset;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > 63 || at - offset > maxNameBytes) return undefined;
    at++;
    if (length === 0) return { name: labels.join('.'), end: at };
    if (at + length > message.length) return undefined;
    labels.push(message.toString('latin1', at, at + length).toLowerCase());
    at += length;
  }
}

/** The EDNS size in an additional record that follows the question directly, as resolvers send it. */
function ednsSize(message: Buffer, offset: number): number {
  const isOpt =
    message[offset] === 0 &&
    offset + 5 <= message.length &&
    message.readUInt16BE(offset + 1) === recordType.OPT;
  return isOpt ? Math.max(512, message.readUInt16BE(offset + 3)) : 512;
}

/** Undefined for what is no query with exactly one question. */
export function parseQuery(message: Buffer): Query | undefined {
  if (message.length < headBytes) return undefined;
  const flags = message.readUInt16BE(2);
  const isResponse = (flags & 0x8000) !== 0;
  if (isResponse || message.readUInt16BE(4) !== 1) return undefined;
  const read = readName(message, headBytes);
  if (read === undefined || read.end + 4 > message.length) return undefined;
  const end = read.end + 4;
  const plain = message.readUInt16BE(6) === 0 && message.readUInt16BE(8) === 0;
  return {
    id: message.readUInt16BE(0),
    name: read.name,
    type: message.readUInt16BE(read.end),
    class: message.readUInt16BE(read.end + 2),
    opcode: (flags >> 11) & 0xf,
    recursionDesired: (flags & 0x100) !== 0,
    question: message.subarray(0, end),
    udpSize: plain && message.readUInt16BE(10) > 0 ? ednsSize(message, end) : 512,
  };
}

export const isInternet = (query: Query): boolean => query.class === classInternet;

function encodeAnswer(answer: Answer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc000 | headBytes, 0); // the name of the question, by pointer
  head.writeUInt16BE(answer.type, 2);
  head.writeUInt16BE(classInternet, 4);
  head.writeUInt32BE(answer.ttl, 6);
  head.writeUInt16BE(answer.data.length, 10);
  return Buffer.concat([head, answer.data]);
}

/** A response; answers that do not fit into `limit` bytes are left out and the truncation bit is set, so that the asker comes back by TCP. */
export function encodeResponse(
  query: Query,
  code: number,
  answers: readonly Answer[],
  limit: number,
): Buffer {
  const parts: Buffer[] = [Buffer.from(query.question)];
  let size = query.question.length;
  let count = 0;
  for (const encoded of answers.map(encodeAnswer)) {
    if (size + encoded.length > limit) break;
    parts.push(encoded);
    size += encoded.length;
    count++;
  }
  const message = Buffer.concat(parts);
  const truncated = count < answers.length ? 0x0200 : 0;
  const recursion = query.recursionDesired ? 0x0100 : 0;
  const opcode = query.opcode << 11;
  message.writeUInt16BE(0x8000 | opcode | truncated | recursion | 0x0080 | code, 2);
  message.writeUInt16BE(1, 4);
  message.writeUInt16BE(count, 6);
  message.writeUInt32BE(0, 8);
  return message;
}

/** What is told to whoever sent something that asks nothing: the head alone. Undefined where nobody waits for an answer. */
export function encodeFormatError(message: Buffer): Buffer | undefined {
  if (message.length < headBytes || (message.readUInt16BE(2) & 0x8000) !== 0) return undefined;
  const head = Buffer.alloc(headBytes);
  message.copy(head, 0, 0, 2);
  const kept = message.readUInt16BE(2) & 0x7900;
  head.writeUInt16BE(0x8000 | kept | responseCode.formatError, 2);
  return head;
}

/** A name as labels, for PTR answers. */
export function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from(label, 'latin1').subarray(0, 63));
  return Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), Buffer.of(0)]);
}

/** A message under another id: how forwarded queries and their answers travel. */
export function withId(message: Buffer, id: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(id, 0);
  return copy;
}

/** Whether a message is a response to that question, byte for byte but for the case of letters. */
export function answersQuestion(message: Buffer, query: Query): boolean {
  if (message.length < query.question.length || (message.readUInt16BE(2) & 0x8000) === 0) return false;
  const read = readName(message, headBytes);
  if (read === undefined || read.name !== query.name || read.end + 4 > message.length) return false;
  return message.readUInt16BE(read.end) === query.type && message.readUInt16BE(read.end + 2) === query.class;
}
