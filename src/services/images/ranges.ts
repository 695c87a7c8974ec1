/** The missing bytes of one blob, over several connections where the server knows ranges. */

import { setTimeout as pause } from 'node:timers/promises';
import type { Ctx } from '../../core/ctx.ts';
import { SlipwayError, invalid, toSlipwayError, unavailable } from '../../core/errors.ts';
import type { Descriptor } from '../../core/model/image.ts';
import type { ByteRange, PartialBlob } from '../../core/ports/blob-store.ts';
import { RegistryBusy } from '../../core/ports/registry.ts';
import { allOrNone } from './all-or-none.ts';
import type { DownloadProgress, Room, Source } from './deps.ts';

/** Attempts in a row that bring nothing. */
const maxAttempts = 5;
/** Bytes that count as having brought something. */
const someBytes = 64 << 10;
const maxConnections = 4;
/** Bytes that one request asks for: large enough that a round trip does not matter, small enough to share the work. */
const sliceSize = 64 << 20;
/** What is fetched in one request in any case. */
const wholeBelow = 32 << 20;
/** No registry is waited for longer than this before one more attempt. */
const longestPauseMs = 60_000;

/** Errors that another attempt may mend: the line or the server, never a refusal. */
function isPassing(error: unknown): boolean {
  return !(error instanceof SlipwayError) || error.kind === 'unavailable';
}

/** Missing bytes in requests of a size that gives every connection something to do. Exported for its test. */
export function slicesOf(missing: readonly ByteRange[], pieceSize: number): ByteRange[] {
  const total = missing.reduce((sum, { from, to }) => sum + to - from, 0);
  const most = total < wholeBelow ? total : Math.min(sliceSize, Math.ceil(total / maxConnections));
  return missing.flatMap(({ from, to }) => {
    const slices: ByteRange[] = [];
    for (let at = from; at < to;) {
      const end = Math.min(Math.ceil((at + most) / pieceSize) * pieceSize, to);
      slices.push({ from: at, to: end });
      at = end;
    }
    return slices;
  });
}

class Transfer {
  readonly #room: Room;
  readonly #source: Source;
  readonly #blob: Descriptor;
  readonly #partial: PartialBlob;
  readonly #report: (progress: DownloadProgress) => void;
  readonly #slices: ByteRange[];
  #received: number;
  #failures = 0;
  #lanes = 1;
  /** Bytes that were there when the last attempt failed. */
  #mark = 0;
  #isRanged = false;
  /** The server does not know ranges. */
  #whole = false;
  /** Told once the server has sent a range, and so knows them. */
  readonly #ranged = Promise.withResolvers<boolean>();

  constructor(
    room: Room,
    source: Source,
    blob: Descriptor,
    partial: PartialBlob,
    report: (progress: DownloadProgress) => void,
  ) {
    this.#room = room;
    this.#source = source;
    this.#blob = blob;
    this.#partial = partial;
    this.#report = report;
    this.#slices = slicesOf(partial.missing(), partial.pieceSize);
    this.#received = partial.present();
  }

  async run(ctx: Ctx): Promise<void> {
    this.#report({ is: 'bytes', received: this.#received });
    const lanes = Math.max(1, Math.min(maxConnections, this.#slices.length));
    this.#lanes = lanes;
    const first = async (own: Ctx): Promise<void> => {
      try {
        await this.#work(own);
      } finally {
        this.#ranged.resolve(false);
      }
    };
    const other = async (own: Ctx): Promise<void> => {
      if (await this.#ranged.promise) await this.#work(own);
    };
    await allOrNone(ctx, [first, ...Array.from({ length: lanes - 1 }, () => other)]);
    if (this.#partial.missing().length > 0) throw unavailable('unexpected EOF');
  }

  async #work(ctx: Ctx): Promise<void> {
    for (let slice = this.#slices.shift(); slice !== undefined; slice = this.#slices.shift()) {
      const state = { at: slice.from };
      try {
        await this.#fetch(ctx, slice, (at) => (state.at = at));
      } catch (error) {
        await this.#recover(ctx, error);
        // Without ranges everything that is missing is this lane's.
        if (this.#whole)
          this.#slices.splice(
            0,
            this.#slices.length,
            ...slicesOf(this.#partial.missing(), this.#partial.pieceSize),
          );
        else if (state.at < slice.to) this.#slices.unshift({ from: state.at, to: slice.to });
      }
    }
  }

  /** Fetches one range. A server without ranges sends everything: then all that is missing is taken from it. */
  async #fetch(ctx: Ctx, range: ByteRange, reach: (at: number) => void): Promise<void> {
    const { repository, credentials } = this.#source;
    const { size } = this.#blob;
    const isAll = range.from === 0 && range.to === size;
    const wanted = isAll ? undefined : range;
    const body = await this.#room.registry.fetchBlob(ctx, repository, this.#blob, credentials, wanted);
    try {
      if (body.isRange && body.from !== range.from)
        throw invalid(`the registry sent bytes from ${body.from} on, not from ${range.from}`);
      if (body.isRange) {
        this.#isRanged = true;
        this.#ranged.resolve(true);
      } else if (!this.#isRanged) this.#whole = true;
      if (this.#whole) this.#slices.length = 0;
      const ranges = this.#whole ? this.#partial.missing() : [range];
      await body.save(this.#partial.path, ranges, (at, bytes) => this.#wrote(at, bytes, reach));
    } finally {
      body.cancel();
    }
  }

  #wrote(at: number, bytes: number, reach: (at: number) => void): void {
    this.#partial.wrote(at, bytes);
    this.#received += bytes;
    reach(at + bytes);
    this.#report({ is: 'bytes', received: this.#received });
  }

  async #recover(ctx: Ctx, error: unknown): Promise<void> {
    if (ctx.signal.aborted) throw unavailable('context canceled');
    if (!isPassing(error)) throw error;
    if (this.#received - this.#mark >= someBytes) this.#failures = 0;
    this.#mark = this.#received;
    const { digest } = this.#blob;
    // One break of the line is seen by every lane.
    if (++this.#failures >= maxAttempts + (this.#lanes - 1))
      throw unavailable(
        `download of ${digest} failed after ${this.#failures} attempts: ${toSlipwayError(error).message}`,
        error,
      );
    const asked = error instanceof RegistryBusy ? (error.retryAfterMs ?? 0) : 0;
    if (asked > longestPauseMs) throw error;
    const delay = Math.max(asked, (this.#room.retryDelayMs ?? 1000) * 2 ** (this.#failures - 1));
    ctx.log.warn('download broke off', { digest, attempt: this.#failures, error });
    this.#report({ is: 'retry', seconds: Math.ceil(delay / 1000) });
    await pause(delay, undefined, { signal: ctx.signal }).catch(() => {});
    if (ctx.signal.aborted) throw unavailable('context canceled');
  }
}

/** Fetches what is missing of `partial`. `unavailable` when the line broke too often, or the registry's refusal. */
export async function fetchRanges(
  room: Room,
  ctx: Ctx,
  source: Source,
  blob: Descriptor,
  partial: PartialBlob,
  report: (progress: DownloadProgress) => void,
): Promise<void> {
  await new Transfer(room, source, blob, partial, report).run(ctx);
}
