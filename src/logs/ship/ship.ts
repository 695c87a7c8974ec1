/**
 * Sends a container's log on, at least once: the spool is read from a cursor that is written down only for what the receiver has. A
 * daemon that is killed begins again at the cursor, a receiver that was away gets what it missed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Ctx } from '../../core/ctx.ts';
import type { LogPosition } from '../../core/log-batch.ts';
import { readSpool } from '../spool/read.ts';
import { Cursor } from './cursor.ts';
import { LineMaker } from './lines.ts';
import type { Connect, Sink } from './sink.ts';

/** Without the receiver's word, a connection that stood this long after a line was sent is taken for it. */
const settledMs = 2000;
const slowestRetryMs = 10_000;

export interface Shipping {
  readonly path: string;
  readonly connect: Connect;
  readonly firstRetryMs: number;
  readonly ended: Promise<unknown>;
  /** Called when the cursor has moved, in turn. */
  readonly moved: (position: LogPosition) => Promise<void>;
  /** Called before the reading begins, and now and then: where to go on instead, when too much waits. */
  readonly skip: (position: LogPosition) => Promise<LogPosition | undefined>;
}

/** What was sent and is not yet taken for arrived. */
class Pending {
  readonly #cursor: Cursor;
  readonly #shipping: Shipping;
  readonly #sent: { readonly position: LogPosition; readonly at: number }[] = [];

  constructor(cursor: Cursor, shipping: Shipping) {
    this.#cursor = cursor;
    this.#shipping = shipping;
  }

  add(position: LogPosition): void {
    const at = performance.now();
    const last = this.#sent.at(-1);
    // A few marks a second are enough.
    if (last !== undefined && at - last.at < 50 && this.#sent.length > 1) this.#sent.pop();
    this.#sent.push({ position, at: last !== undefined && at - last.at < 50 ? last.at : at });
  }

  get isEmpty(): boolean {
    return this.#sent.length === 0;
  }

  /** Writes down what has stood long enough, or (`all`) all. */
  async settle(all: boolean): Promise<void> {
    const before = all ? Infinity : performance.now() - settledMs;
    const waits = this.#sent.findIndex(({ at }) => at > before);
    const settled = this.#sent.splice(0, waits < 0 ? this.#sent.length : waits);
    const arrived = settled.at(-1)?.position;
    if (arrived === undefined) return;
    await this.#cursor.move(arrived);
    await this.#shipping.moved(arrived);
  }
}

/** One connection's life; true when all is sent and the output has ended, false when a part is to be skipped. */
async function shipOver(ctx: Ctx, sink: Sink, cursor: Cursor, shipping: Shipping): Promise<boolean> {
  const lines = new LineMaker();
  const pending = new Pending(cursor, shipping);
  const reading = new AbortController();
  let isSkipping = false;
  const state: { failure: Error | undefined } = { failure: undefined };
  // What is being sent to a receiver that does not read would be waited for without end.
  const stop = (): void => {
    reading.abort();
    sink.destroy();
  };
  ctx.signal.addEventListener('abort', stop, { once: true });
  void sink.broken.then((error) => {
    state.failure = error;
    stop();
  });
  const settling = setInterval(() => {
    if (state.failure !== undefined) return;
    pending.settle(false).catch((error: unknown) => {
      state.failure ??= error instanceof Error ? error : new Error(String(error));
      stop();
    });
  }, settledMs / 4);
  try {
    const batches = readSpool({ ...ctx, signal: reading.signal }, shipping.path, {
      tail: undefined,
      sinceNano: undefined,
      untilNano: undefined,
      follow: true,
      ended: shipping.ended,
      from: cursor.position,
    });
    for await (const batch of batches) {
      await sink.send(lines.lines(batch));
      if (state.failure !== undefined) break;
      if (batch.end !== undefined) pending.add(batch.end);
      if (sink.confirms) await pending.settle(true);
      isSkipping = batch.end !== undefined && (await shipping.skip(batch.end)) !== undefined;
      if (isSkipping) break;
    }
    if (state.failure !== undefined) throw state.failure;
    if (ctx.signal.aborted) return false;
    // The connection's end is what is wanted now, and no failure; finishing fails by itself.
    await sink.finish();
    if (ctx.signal.aborted) return false;
    clearInterval(settling);
    await pending.settle(true);
    return !isSkipping;
  } finally {
    clearInterval(settling);
    ctx.signal.removeEventListener('abort', stop);
    sink.destroy();
  }
}

/** Until the output has ended and all of it has arrived, or the ctx is cancelled. Never rejects. */
export async function shipLog(ctx: Ctx, first: LogPosition, shipping: Shipping): Promise<void> {
  const cursor = await Cursor.open(shipping.path, first);
  let waitMs = shipping.firstRetryMs;
  let isKnown = false;
  try {
    while (!ctx.signal.aborted) {
      const skipTo = await shipping.skip(cursor.position);
      if (skipTo !== undefined) await cursor.move(skipTo);
      const before = cursor.position;
      try {
        const sink = await shipping.connect(ctx.signal);
        if (isKnown) ctx.log.info('the receiver of a log is back');
        isKnown = false;
        if (await shipOver(ctx, sink, cursor, shipping)) return;
        continue;
      } catch (error) {
        if (ctx.signal.aborted) return;
        // Said once for each time that it goes away.
        if (!isKnown) ctx.log.warn('a log cannot be sent on for now', { error });
        isKnown = true;
      }
      const hasMoved = cursor.position !== before;
      waitMs = hasMoved ? shipping.firstRetryMs : Math.min(waitMs * 2, slowestRetryMs);
      await delay(waitMs, undefined, { signal: ctx.signal }).catch(() => {});
    }
  } finally {
    await cursor.close();
  }
}
