/** Whether and when a container that ended starts again. Pure. */

import type { RestartPolicy } from '../../core/model/container-spec.ts';

export const firstBackoffMs = 100;
const maxBackoffMs = 60_000;
/** A run of this length counts as a good one. */
const goodRunMs = 10_000;

export interface RestartQuestion {
  readonly policy: RestartPolicy | undefined;
  readonly exitCode: number;
  /** Stopped or killed by a person. */
  readonly stopped: boolean;
  readonly restartCount: number;
}

export function shouldRestart(question: RestartQuestion): boolean {
  if (question.stopped) return false;
  const max = question.policy?.MaximumRetryCount ?? 0;
  switch (question.policy?.Name ?? '') {
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return question.exitCode !== 0 && (max === 0 || question.restartCount < max);
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
