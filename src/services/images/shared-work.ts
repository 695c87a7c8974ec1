/**
 * Work that several callers may want at once, done once: each gets the progress from where it joins, and the work is
 * cancelled only when the last caller has gone.
 */

import type { Ctx } from '../../core/ctx.ts';
import { unavailable } from '../../core/errors.ts';

interface Flight<T, P> {
  readonly result: Promise<T>;
  readonly listeners: Set<(progress: P) => void>;
  readonly stop: AbortController;
}

export class SharedWork<T, P> {
  readonly #flights = new Map<string, Flight<T, P>>();

  async run(
    ctx: Ctx,
    key: string,
    listen: (progress: P) => void,
    work: (ctx: Ctx, report: (progress: P) => void) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      if (ctx.signal.aborted) throw unavailable('context canceled');
      const flight = this.#flights.get(key) ?? this.#start(ctx, key, work);
      // A flight that its last caller has left is on its way down: wait for that, then begin anew.
      if (flight.stop.signal.aborted) await flight.result.catch(() => {});
      else return await this.#join(ctx, flight, listen);
    }
  }

  #start(ctx: Ctx, key: string, work: (ctx: Ctx, report: (progress: P) => void) => Promise<T>): Flight<T, P> {
    const listeners = new Set<(progress: P) => void>();
    const stop = new AbortController();
    const report = (progress: P): void => {
      for (const listener of listeners) listener(progress);
    };
    const result = work({ log: ctx.log, signal: stop.signal }, report).finally(() =>
      this.#flights.delete(key),
    );
    result.catch(() => {});
    const flight = { result, listeners, stop };
    this.#flights.set(key, flight);
    return flight;
  }

  async #join(ctx: Ctx, flight: Flight<T, P>, listen: (progress: P) => void): Promise<T> {
    // A function of its own, so that one caller may join twice.
    const own = (progress: P): void => listen(progress);
    flight.listeners.add(own);
    const leave = (): void => {
      flight.listeners.delete(own);
      if (flight.listeners.size === 0) flight.stop.abort();
    };
    const cancelled = new Promise<never>((_resolve, reject) => {
      ctx.signal.addEventListener('abort', () => reject(unavailable('context canceled')), { once: true });
    });
    cancelled.catch(() => {});
    try {
      return await Promise.race([flight.result, cancelled]);
    } finally {
      leave();
      // The last to leave waits until nothing runs any more: what it wanted is then safe to clean up.
      if (ctx.signal.aborted && flight.stop.signal.aborted) await flight.result.catch(() => {});
    }
  }
}

/** Lets a number of tasks run at once; the others wait in order. */
export class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(width: number) {
    this.#free = width;
  }

  /** Runs the task only if that can be at once; undefined otherwise. */
  tryRun<T>(task: () => Promise<T>): Promise<T> | undefined {
    return this.#free > 0 ? this.run(task) : undefined;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
