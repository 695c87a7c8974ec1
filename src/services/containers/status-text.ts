/** How long ago, in the words that Docker's list uses. Pure. */

import { parseNano } from '../../core/time.ts';
import { never, type ContainerRecord } from '../../core/model/container.ts';
import type { HealthStatus } from './types.ts';

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;
const week = 7 * day;
const month = 30 * day;
const year = 365 * day;

/** Rough, as people say it: `About a minute`, `3 weeks`. */
export function humanDuration(seconds: number): string {
  if (seconds < 1) return 'Less than a second';
  if (seconds < 2) return '1 second';
  if (seconds < minute) return `${Math.floor(seconds)} seconds`;
  if (seconds < 2 * minute) return 'About a minute';
  if (seconds < hour) return `${Math.floor(seconds / minute)} minutes`;
  const hours = Math.round(seconds / hour);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < (2 * week) / hour) return `${Math.floor(seconds / day)} days`;
  if (seconds < 2 * month) return `${Math.floor(seconds / week)} weeks`;
  if (seconds < 2 * year) return `${Math.floor(seconds / month)} months`;
  return `${Math.floor(seconds / year)} years`;
}

const since = (time: string, nowMs: number): string => {
  const nano = parseNano(time) ?? 0n;
  return humanDuration(Math.max(0, nowMs / 1000 - Number(nano / 1_000_000n) / 1000));
};

/** `Up 3 minutes (healthy)`, `Exited (0) 2 hours ago`, `Created`, ... */
export function statusText(record: ContainerRecord, health: HealthStatus | undefined, nowMs: number): string {
  const { state } = record;
  switch (state.status) {
    case 'running': {
      const up = `Up ${since(state.startedAt, nowMs)}`;
      if (health === undefined || health === 'none') return up;
      return `${up} (${health === 'starting' ? 'health: starting' : health})`;
    }
    case 'paused':
      return `Up ${since(state.startedAt, nowMs)} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAt, nowMs)} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
    case 'starting':
      // Until it runs, it is what it was.
      if (state.startedAt === never) return 'Created';
      if (record.restartCount === 0)
        return `Exited (${state.exitCode}) ${since(state.finishedAt, nowMs)} ago`;
      return `Restarting (${state.exitCode}) ${since(state.finishedAt, nowMs)} ago`;
    case 'created':
      return 'Created';
    case 'exited':
      return `Exited (${state.exitCode}) ${since(state.finishedAt, nowMs)} ago`;
  }
}
