/** What one probe makes of a container's health. Pure. */

import type { Health, HealthProbe } from './types.ts';

/** Milliseconds. */
export interface HealthSettings {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Failures in this time after the start do not count. */
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
  readonly retries: number;
}

/** The checks of one run of a container. */
export interface HealthMonitor {
  readonly health: Health;
  stop(): void;
}

const keepProbes = 5;

export function judgeProbe(
  health: Health,
  probe: HealthProbe,
  rules: { readonly inStartPeriod: boolean; readonly retries: number },
): Health {
  const log = [...health.log, probe].slice(-keepProbes);
  if (probe.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  if (health.status === 'starting' && rules.inStartPeriod) return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  return { status: failingStreak >= rules.retries ? 'unhealthy' : health.status, failingStreak, log };
}
