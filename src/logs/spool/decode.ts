/**
 * From the bytes of a log file to batches of lines. Lines that the shim wrote are taken apart byte by byte, in one pass, without an
 * object for any of them; what looks different goes through JSON.parse.
 */
import type { LogBatch } from '../../core/log-batch.ts';
import { lineBytes, parseEntry } from './entry.ts';

const quote = 0x22;
const backslash = 0x5c;
const newline = 0x0a;
const head = Buffer.from('{"log":"');
const middle = Buffer.from('","stream":"std');
const timeHead = Buffer.from('","time":"');

/** Of `\n` and its like: the byte that the letter stands for; 0 for what is none. */
const escaped = new Uint8Array(128);
for (const [letter, byte] of [
  ['n', 10],
  ['r', 13],
  ['t', 9],
  ['b', 8],
  ['f', 12],
  ['"', 34],
  ['\\', 92],
  ['/', 47],
] as const) {
  escaped[letter.charCodeAt(0)] = byte;
}

function hexAt(source: Buffer, at: number): number {
  let value = 0;
  for (let index = at; index < at + 4; index += 1) {
    const byte = source[index] ?? 0;
    const digit = byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57;
    if (digit < 0 || digit > 15) return -1;
    value = value * 16 + digit;
  }
  return value;
}

function putCodePoint(target: Buffer, at: number, code: number): number {
  if (code < 0x80) {
    target[at] = code;
    return at + 1;
  }
  if (code < 0x800) {
    target[at] = 0xc0 | (code >> 6);
    target[at + 1] = 0x80 | (code & 0x3f);
    return at + 2;
  }
  // A lone low surrogate of this range is a byte that was no UTF-8.
  if (code >= 0xdc80 && code <= 0xdcff) {
    target[at] = code & 0xff;
    return at + 1;
  }
  target[at] = 0xe0 | (code >> 12);
  target[at + 1] = 0x80 | ((code >> 6) & 0x3f);
  target[at + 2] = 0x80 | (code & 0x3f);
  return at + 3;
}

/** Where the decoding of a text stopped: at its closing quote, and how far the target is filled; `at` is -1 for what it does not know. */
const stopped = { at: 0, filled: 0 };

/** Copies a JSON text (its opening quote is behind `from`) to the target, escapes resolved. */
function copyText(source: Buffer, from: number, end: number, target: Buffer, to: number): void {
  let at = from;
  let filled = to;
  stopped.at = -1;
  while (at < end) {
    const byte = source[at] as number;
    if (byte !== backslash) {
      if (byte === quote) {
        stopped.at = at;
        stopped.filled = filled;
        return;
      }
      target[filled++] = byte;
      at += 1;
      continue;
    }
    const letter = source[at + 1] ?? 0;
    if (letter === 0x75) {
      const code = hexAt(source, at + 2);
      // A pair of surrogates is not of the shim's making.
      if (code < 0 || (code >= 0xd800 && code < 0xdc80)) return;
      filled = putCodePoint(target, filled, code);
      at += 6;
    } else {
      const plain = letter < 128 ? (escaped[letter] ?? 0) : 0;
      if (plain === 0) return;
      target[filled++] = plain;
      at += 2;
    }
  }
}

function matches(source: Buffer, at: number, wanted: Buffer): boolean {
  for (let index = 0; index < wanted.length; index += 1)
    if (source[at + index] !== wanted[index]) return false;
  return true;
}

/** Takes lines apart. What stands behind a line's text is mostly what stood behind the one before: written together, they share their time. */
export class LineDecoder {
  #tail = Buffer.alloc(0);
  #fromStderr = false;
  #time = '';

  /**
   * Decodes the line of `source` between `from` and `end` (its newline excluded) into the batch, which has room for as many bytes: no
   * line is longer than its JSON. A damaged line is left out.
   */
  decode(source: Buffer, from: number, end: number, batch: LogBatch): void {
    const start = from + head.length;
    if (!matches(source, from, head)) return this.#decodeAny(source, from, end, batch);
    const textEnd = end - this.#tail.length;
    const isAsBefore = textEnd >= start && this.#tail.length > 0 && matches(source, textEnd, this.#tail);
    if (isAsBefore) {
      const slash = source.indexOf(backslash, start);
      // Nothing is escaped but the newline: nearly every line.
      if (slash === textEnd - 2 && source[slash + 1] === 0x6e) {
        const filled = batch.next + source.copy(batch.bytes, batch.next, start, slash);
        batch.bytes[filled] = newline;
        return batch.take(filled + 1, this.#fromStderr, this.#time);
      }
    }
    copyText(source, start, end, batch.bytes, batch.next);
    if (stopped.at < 0 || !(isAsBefore ? stopped.at === textEnd : this.#readTail(source, stopped.at, end))) {
      return this.#decodeAny(source, from, end, batch);
    }
    batch.take(stopped.filled, this.#fromStderr, this.#time);
  }

  /** What is behind the text of one of the shim's own lines without attributes; false when it looks different. */
  #readTail(source: Buffer, at: number, end: number): boolean {
    if (!matches(source, at, middle)) return false;
    // `out` or `err`.
    const timeAt = at + middle.length + 3;
    if (!matches(source, timeAt, timeHead)) return false;
    const start = timeAt + timeHead.length;
    if (source[end - 1] !== 0x7d || source[end - 2] !== quote || end - 2 <= start) return false;
    this.#tail = Buffer.from(source.subarray(at, end));
    this.#fromStderr = source[at + middle.length] === 0x65;
    this.#time = source.toString('latin1', start, end - 2);
    return true;
  }

  #decodeAny(source: Buffer, from: number, end: number, batch: LogBatch): void {
    const entry = parseEntry(source.toString('utf8', from, end));
    if (entry === undefined) return;
    const bytes = lineBytes(entry.log);
    const start = batch.next;
    bytes.copy(batch.bytes, start);
    batch.take(start + bytes.length, entry.fromStderr, entry.time, entry.attributes);
  }
}
