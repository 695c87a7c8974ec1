/** Whether and when a container that ended starts again. Pure. */

import type { RestartPolicy } from '../../core/model/container-spec.ts';

const firstBackoffMs = 100;
const maxBackoffMs = 60_000;
/** A run of this length counts as a good one. */
const goodRunMs = 10_000;

export interface RestartQuestion {
  readonly policy: RestartPolicy | undefined;
  readonly exitCode: number;
  /** Stopped or killed by a person. */
  readonly stopped: boolean;
  readonly restartCount: number;
  /** The last word of its health checks was that it is unhealthy. */
  readonly unhealthy: boolean;
}

/** Whether the policy's maximum leaves one more restart; none means no end. */
export function hasRetries({
  policy,
  restartCount,
}: Pick<RestartQuestion, 'policy' | 'restartCount'>): boolean {
  const max = policy?.MaximumRetryCount ?? 0;
  return max === 0 || restartCount < max;
}

export function shouldRestart(question: RestartQuestion): boolean {
  if (question.stopped) return false;
  const failed = question.exitCode !== 0;
  switch (question.policy?.Name ?? '') {
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return failed && hasRetries(question);
    case 'on-unhealthy':
      return (failed || question.unhealthy) && hasRetries(question);
    case '':
    case 'no':
      return false;
  }
}

/** Milliseconds to wait: 100, doubling up to a minute, and 100 again after a good run. */
export function nextBackoff(previousMs: number, ranMs: number): number {
  if (previousMs === 0 || ranMs >= goodRunMs) return firstBackoffMs;
  return Math.min(previousMs * 2, maxBackoffMs);
}

/** How much of a back-off is left, for a daemon that comes back in the middle of one. Milliseconds. */
export function remainingBackoff(backoffMs: number, finishedAt: string, now: number): number {
  const left = Date.parse(finishedAt) + backoffMs - now;
  return Number.isNaN(left) ? 0 : Math.max(0, Math.min(left, backoffMs));
}
