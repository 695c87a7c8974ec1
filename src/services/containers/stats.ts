import { totalmem } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ctx } from '../../core/ctx.ts';
import { isActive, never } from '../../core/model/container.ts';
import { formatNano, nowNano } from '../../core/time.ts';
import { readCounters } from './cgroup-stats.ts';
import type { Room } from './deps.ts';
import type { Entry } from './table.ts';
import type { StatsSample } from './types.ts';

const everyMs = 1000;

async function sample(room: Room, entry: Entry, previous: StatsSample | undefined): Promise<StatsSample> {
  const { record } = entry;
  const running = isActive(record.state);
  const layout = room.host.cgroupLayout();
  const counters = running
    ? await readCounters({
        layout,
        paths: room.specs.cgroupPaths(record),
        pid: record.state.pid,
        hostMemory: totalmem(),
      })
    : { pids: undefined, cpu: undefined, memory: undefined, blkio: undefined, networks: undefined };
  const sharesHost = record.hostConfig.NetworkMode === 'host';
  return {
    id: record.id,
    name: record.name,
    read: running ? formatNano(nowNano()) : never,
    preread: previous?.read ?? never,
    running,
    cgroupVersion: layout.version === 2 ? 2 : 1,
    ...counters,
    // The host's interfaces are not the container's.
    networks: sharesHost ? undefined : counters.networks,
    precpu: previous?.cpu,
  };
}

async function* samples(
  room: Room,
  ctx: Ctx,
  entry: Entry,
  input: { readonly stream: boolean; readonly oneShot: boolean },
): AsyncIterable<StatsSample> {
  let previous: StatsSample | undefined;
  if (!input.stream && !input.oneShot && isActive(entry.record.state)) {
    previous = await sample(room, entry, undefined);
    await delay(everyMs, undefined, { signal: ctx.signal });
  }
  do {
    const current = await sample(room, entry, previous);
    yield current;
    if (!input.stream || room.table.get(entry.id) !== entry) return;
    previous = current;
    try {
      await delay(everyMs, undefined, { signal: ctx.signal });
    } catch {
      return;
    }
  } while (!ctx.signal.aborted);
}

/** Counters of a container; zeros in effect (absent) while it does not run. */
export async function containerStats(
  room: Room,
  ctx: Ctx,
  ref: string,
  input: { readonly stream: boolean; readonly oneShot: boolean },
): Promise<AsyncIterable<StatsSample>> {
  return samples(room, ctx, room.table.resolve(ref), input);
}
