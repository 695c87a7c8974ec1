/**
 * Answers of servers behind, kept as long as they say. One cache a container: what one of them could slip into its own
 * queries' answers never reaches another. Keys are whole queries but for their id and the case of the name.
 */

import { lifetime, withAge } from './records.ts';
import { headBytes, type Query } from './wire.ts';

/** Entries of one container; the oldest go first. */
const maxEntries = 1024;
/** Answers above this size are rare, and not worth the memory. */
const maxBytes = 4096;
/** What an entry costs beside its answer: key, map and objects. */
const entryBytes = 400;

/** Bytes that all caches together may hold, so that a thousand containers do not make a large process. */
export class CacheBudget {
  readonly #limit: number;
  #used = 0;

  constructor(limit = 8 * 1024 * 1024) {
    this.#limit = limit;
  }

  take(bytes: number): boolean {
    if (this.#used + bytes > this.#limit) return false;
    this.#used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}

interface Entry {
  readonly response: Buffer;
  /** Milliseconds, of the clock that callers give. */
  readonly since: number;
  readonly until: number;
}

function keyOf(transport: string, query: Query, message: Buffer): string {
  const flags = message.readUInt16BE(2);
  const rest = message.toString('latin1', query.question.length);
  return `${transport} ${flags} ${query.type} ${query.class} ${query.name} ${rest}`;
}

export class AnswerCache {
  readonly #entries = new Map<string, Entry>();
  readonly #budget: CacheBudget;

  constructor(budget = new CacheBudget()) {
    this.#budget = budget;
  }

  /** The answer under the query's own id, spelling and remaining lifetimes; undefined where none is known. */
  find(transport: string, query: Query, message: Buffer, now: number): Buffer | undefined {
    const key = keyOf(transport, query, message);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (now >= entry.until) {
      this.#forget(key);
      return undefined;
    }
    const response = withAge(entry.response, Math.floor((now - entry.since) / 1000));
    query.question.copy(response, headBytes, headBytes);
    response.writeUInt16BE(query.id, 0);
    return response;
  }

  keep(transport: string, query: Query, message: Buffer, response: Buffer, now: number): void {
    const seconds = response.length > maxBytes ? 0 : lifetime(response);
    if (seconds <= 0) return;
    const key = keyOf(transport, query, message);
    this.#forget(key);
    if (this.#entries.size >= maxEntries) this.#forgetOldest();
    while (!this.#budget.take(response.length + entryBytes)) {
      // Room is made among the own answers only: one container does not drive out those of another.
      if (this.#entries.size === 0) return;
      this.#forgetOldest();
    }
    this.#entries.set(key, { response, since: now, until: now + seconds * 1000 });
  }

  clear(): void {
    for (const key of this.#entries.keys()) this.#forget(key);
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#budget.give(entry.response.length + entryBytes);
  }

  #forgetOldest(): void {
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#forget(oldest);
  }
}
