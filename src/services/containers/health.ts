/** Health checks over time: when a probe runs, and what becomes of its answer. */

import { commitRecord } from './commit.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { runProbe } from './health-probe.ts';
import {
  healthCheckOf,
  judgeProbe,
  nextProbeAt,
  startingHealth,
  type HealthCheck,
  type HealthMonitor,
} from './health-rules.ts';
import type { Entry } from './table.ts';
import type { HealthProbe } from './types.ts';

const maximumTimer = 2 ** 31 - 1;

class Monitor implements HealthMonitor {
  readonly #room: Room;
  readonly #entry: Entry;
  readonly #check: HealthCheck;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(room: Room, entry: Entry, check: HealthCheck) {
    this.#room = room;
    this.#entry = entry;
    this.#check = check;
    this.#next();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** The schedule follows from the record, so it goes on where an earlier daemon left it. */
  #next(): void {
    if (this.#stopped) return;
    const now = Date.now();
    const wait = Math.max(0, nextProbeAt(this.#check, this.#entry.record, now) - now);
    const isDue = wait <= maximumTimer;
    this.#arm(Math.min(wait, maximumTimer), isDue);
  }

  #arm(wait: number, isDue: boolean): void {
    this.#timer = setTimeout(() => {
      if (isDue) void this.#run();
      else this.#next();
    }, wait);
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    const { status } = this.#entry.record.state;
    // A frozen container cannot answer, which says nothing about its health.
    if (status !== 'running') return this.#arm(this.#check.intervalMs, true);
    const probe = await runProbe(this.#room, this.#entry, this.#check);
    try {
      await this.#take(probe);
    } catch (error) {
      this.#room.log.warn('health check not recorded', { container: this.#entry.id, error });
    }
    this.#next();
  }

  async #take(probe: HealthProbe): Promise<void> {
    const [room, entry] = [this.#room, this.#entry];
    const isUnhealthy = await room.queue.run(entry.id, async () => {
      const { record } = entry;
      if (this.#stopped || record.state.status !== 'running') return false;
      const before = record.health ?? startingHealth(record);
      if (before === undefined) return false;
      const health = judgeProbe(before, probe, this.#check, record.state.startedAt);
      const after = { ...record, health };
      try {
        await commitRecord(room, entry, after);
      } catch (error) {
        // With a full disk the answer cannot be kept, but it counts.
        room.log.warn('health not written', { container: entry.id, error });
        entry.record = after;
      }
      if (health.status !== before.status)
        emitContainer(room, entry.record, `health_status: ${health.status}`);
      return health.status === 'unhealthy';
    });
    if (isUnhealthy) await room.endUnhealthy(entry);
  }
}

/** Begins the checks of a container that just started (or was found running); does nothing when it has none. */
export function startHealth(room: Room, entry: Entry): void {
  entry.health?.stop();
  const check = healthCheckOf(entry.record);
  entry.health = check === undefined ? undefined : new Monitor(room, entry, check);
}
