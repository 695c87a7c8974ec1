/** Answers that another attempt may mend, and how long to wait for it. */

import { setTimeout as pause } from 'node:timers/promises';
import type { Ctx } from '../core/ctx.ts';
import { unavailable } from '../core/errors.ts';
import type { Answer } from './answer.ts';

/** 501 and 505 say that it will never work. */
const passing = new Set([408, 429, 500, 502, 503, 504]);
const attempts = 4;
/** No longer than this within one request; a registry that wants more is told to the user. */
const longestPauseMs = 20_000;

export const isBusy = (status: number): boolean => passing.has(status);

/** `Retry-After` in milliseconds, be it seconds or a date; undefined when there is none. */
export function retryAfterOf(message: Answer): number | undefined {
  const header = message.headers['retry-after']?.trim() ?? '';
  if (/^\d{1,7}$/.test(header)) return Number(header) * 1000;
  const at = header === '' ? Number.NaN : Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

/**
 * Sends until the answer is none of those, a few times; returns the last answer in any case. Too many requests are tried
 * again only where the registry says when: limits by the hour do not go away by asking.
 */
export async function patiently<A extends Answer>(
  ctx: Ctx,
  firstDelayMs: number,
  send: () => Promise<A>,
): Promise<A> {
  for (let attempt = 1; ; attempt++) {
    const message = await send();
    const { statusCode } = message;
    if (!isBusy(statusCode) || attempt === attempts) return message;
    const asked = retryAfterOf(message);
    if (statusCode === 429 && asked === undefined) return message;
    const delay = Math.max(asked ?? 0, firstDelayMs * 2 ** (attempt - 1));
    if (delay > longestPauseMs) return message;
    message.resume();
    ctx.log.debug('the registry is busy', { status: statusCode, delay });
    await pause(delay, undefined, { signal: ctx.signal }).catch(() => {});
    if (ctx.signal.aborted) throw unavailable('context canceled');
  }
}
