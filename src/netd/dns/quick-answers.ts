/**
 * Answers from the zones as they were given before, found by the bytes of the query: the same question from the same
 * container is answered by a comparison and a copy. One table of a fixed size for all containers, each question with one
 * place in it, so that a flood of questions costs no memory, and the others no more than a slower answer.
 */

import type { ResolverConfig } from '../../core/ports/net-helper.ts';
import { headBytes } from './wire.ts';

const places = 512;
/** Longer queries and answers are rare. */
const maxQueryBytes = 300;
const maxAnswerBytes = 600;
const truncationBit = 0x02;

/** What was asked and answered: for all containers together. */
export type QuickTable = (Kept | undefined)[];
export const makeQuickTable = (): QuickTable => Array.from({ length: places }, () => undefined);

/** A query where it was read. */
export interface QuickQuery {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** What an answer rests on besides the question. */
export interface QuickState {
  readonly config: ResolverConfig;
  /** Of the zones: another number, other names. */
  readonly generation: number;
}

interface Kept extends QuickState {
  readonly query: Uint8Array;
  readonly answer: Uint8Array;
  /** All records are of one kind and size. */
  readonly records: number;
  readonly recordBytes: number;
}

/** FNV-1a over the query but for its id. */
function placeOf({ bytes, start, end }: QuickQuery): number {
  let hash = 0x811c9dc5;
  for (let at = start + 2; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return (hash ^ (hash >>> 16)) & (places - 1);
}

function isSame(known: Uint8Array, { bytes, start, end }: QuickQuery): boolean {
  if (known.length !== end - start) return false;
  for (let at = 2; at < known.length; at++) if (known[at] !== bytes[start + at]) return false;
  return true;
}

/** Of one container: configurations are compared by identity, so that no other one's answers are ever found. */
export class QuickAnswers {
  readonly #table: QuickTable;
  /** Spreads the same question of several containers. */
  readonly #salt = Math.floor(Math.random() * places);

  constructor(table: QuickTable) {
    this.#table = table;
  }

  /** Writes the answer into `out` from `at` on; its bytes, 0 where none is known. */
  find(state: QuickState, query: QuickQuery, out: Uint8Array, at: number): number {
    const length = query.end - query.start;
    if (length > maxQueryBytes || length < headBytes) return 0;
    const kept = this.#table[placeOf(query) ^ this.#salt];
    if (kept === undefined || kept.config !== state.config || kept.generation !== state.generation) return 0;
    if (!isSame(kept.query, query)) return 0;
    if (kept.records > 1) shuffle(kept);
    const { answer } = kept;
    out[at] = query.bytes[query.start] ?? 0;
    out[at + 1] = query.bytes[query.start + 1] ?? 0;
    for (let offset = 2; offset < answer.length; offset++) out[at + offset] = answer[offset] ?? 0;
    return answer.length;
  }

  /**
   * `questionBytes`: of head and question, which the answer begins with; records of one size follow. Answers that were cut are
   * not kept: what is left out changes.
   */
  keep(state: QuickState, query: QuickQuery, answer: Uint8Array, questionBytes: number): void {
    const length = query.end - query.start;
    if (length > maxQueryBytes || length < headBytes || answer.length > maxAnswerBytes) return;
    if (((answer[2] ?? 0) & truncationBit) !== 0) return;
    const records = ((answer[6] ?? 0) << 8) | (answer[7] ?? 0);
    this.#table[placeOf(query) ^ this.#salt] = {
      config: state.config,
      generation: state.generation,
      query: query.bytes.slice(query.start, query.end),
      answer: answer.slice(),
      records,
      recordBytes: records === 0 ? 0 : (answer.length - questionBytes) / records,
    };
  }
}

/** The records in another order, each order as likely; they are the answer's end. */
function shuffle({ answer, records, recordBytes }: Kept): void {
  const start = answer.length - records * recordBytes;
  for (let last = records - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    if (other === last) continue;
    const [one, two] = [start + last * recordBytes, start + other * recordBytes];
    for (let at = 0; at < recordBytes; at++) {
      const byte = answer[one + at] ?? 0;
      answer[one + at] = answer[two + at] ?? 0;
      answer[two + at] = byte;
    }
  }
}
