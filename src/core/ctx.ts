import { silentLogger, type Logger } from './log.ts';

/** What every asynchronous operation takes first: how it is cancelled, and where it logs. */
export interface Ctx {
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** A context that is never cancelled: for start-up, background work and tests. */
export function backgroundCtx(log: Logger = silentLogger): Ctx {
  return { signal: new AbortController().signal, log };
}

/** A context with the same logger and a deadline of its own, not tied to the caller's cancellation. */
export function detachedCtx(ctx: Ctx, timeoutMs: number): Ctx {
  return { signal: AbortSignal.timeout(timeoutMs), log: ctx.log };
}
