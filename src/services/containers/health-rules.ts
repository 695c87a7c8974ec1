/** What health checks are, and what one probe makes of a container's health. Pure. */

import type { HealthConfig } from '../../core/model/container-spec.ts';
import { isActive, type ContainerRecord, type Health, type HealthProbe } from '../../core/model/container.ts';

/** A container's check, with every default filled in. Times in milliseconds. */
export interface HealthCheck {
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Failures in this time after the start do not count. */
  readonly startPeriodMs: number;
  /** Between probes in the start period, until the first that succeeds. */
  readonly startIntervalMs: number;
  readonly retries: number;
}

/** The checks of one run of a container. */
export interface HealthMonitor {
  stop(): void;
}

const keepProbes = 5;
const nanosPerMilli = 1_000_000;
const defaults = { intervalMs: 30_000, timeoutMs: 30_000, startIntervalMs: 5_000, retries: 3 };
const shell = ['/bin/sh', '-c'];

function commandOf(check: HealthConfig, ownShell: readonly string[] | null | undefined): readonly string[] {
  const [kind, ...rest] = check.Test ?? [];
  if (kind === 'CMD') return rest;
  if (kind !== 'CMD-SHELL') return [];
  return [...(ownShell != null && ownShell.length > 0 ? ownShell : shell), ...rest];
}

/** The check of a container; undefined when it has none, or `NONE`, or one of an unknown kind. */
export function healthCheckOf({ config }: Pick<ContainerRecord, 'config'>): HealthCheck | undefined {
  const check = config.Healthcheck;
  if (check == null) return undefined;
  const command = commandOf(check, config.Shell);
  if (command.length === 0) return undefined;
  const milliseconds = (nanos: number | undefined, otherwise: number): number =>
    nanos === undefined || nanos === 0 ? otherwise : nanos / nanosPerMilli;
  const intervalMs = milliseconds(check.Interval, defaults.intervalMs);
  return {
    command,
    intervalMs,
    timeoutMs: milliseconds(check.Timeout, defaults.timeoutMs),
    startPeriodMs: milliseconds(check.StartPeriod, 0),
    startIntervalMs: milliseconds(check.StartInterval, Math.min(defaults.startIntervalMs, intervalMs)),
    retries: check.Retries === undefined || check.Retries <= 0 ? defaults.retries : check.Retries,
  };
}

/** The health of a container at its start: nothing is known, the log of the runs before stays, as with Docker. */
export function startingHealth(record: ContainerRecord): Health | undefined {
  if (healthCheckOf(record) === undefined) return undefined;
  return { status: 'starting', failingStreak: 0, log: record.health?.log ?? [] };
}

/** What is shown: Docker calls a container unhealthy while nobody checks it, be it paused or ended. */
export function shownHealth(record: ContainerRecord): Health | undefined {
  const { health, state } = record;
  if (health === undefined || state.status === 'running') return health;
  return { ...health, status: 'unhealthy' };
}

/** Whether the last word of the checks of this run was `unhealthy`. */
export function isUnhealthy(record: ContainerRecord): boolean {
  return isActive(record.state) && record.health?.status === 'unhealthy';
}

const millisOf = (time: string): number => Date.parse(time);

/** Whether a moment (milliseconds since the epoch) lies in the time after the start in which failures do not count. */
const inStartPeriod = (check: HealthCheck, startedAt: string, at: number): boolean =>
  at - millisOf(startedAt) < check.startPeriodMs;

/** When the next probe is due, in milliseconds since the epoch: an interval after the last one of this run, or after its start. */
export function nextProbeAt(check: HealthCheck, record: ContainerRecord, now: number): number {
  const { startedAt } = record.state;
  const started = millisOf(startedAt);
  const last = record.health?.log.at(-1);
  const isOfThisRun = last !== undefined && millisOf(last.start) >= started;
  const fast = inStartPeriod(check, startedAt, now) && record.health?.status === 'starting';
  return (isOfThisRun ? millisOf(last.end) : started) + (fast ? check.startIntervalMs : check.intervalMs);
}

/** The health after one more probe. */
export function judgeProbe(
  health: Health,
  probe: HealthProbe,
  check: Pick<HealthCheck, 'retries' | 'startPeriodMs'>,
  startedAt: string,
): Health {
  const log = [...health.log, probe].slice(-keepProbes);
  if (probe.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  const forgiven = millisOf(probe.start) - millisOf(startedAt) < check.startPeriodMs;
  if (health.status === 'starting' && forgiven) return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  return { status: failingStreak >= check.retries ? 'unhealthy' : health.status, failingStreak, log };
}
