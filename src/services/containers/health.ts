/** Health checks: a command run in the container from time to time, and what its answers make of the container. */

import { backgroundCtx } from '../../core/ctx.ts';
import type { HealthConfig } from '../../core/model/container-spec.ts';
import { formatNano, nowNano } from '../../core/time.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { execCreate, execStart } from './exec.ts';
import { judgeProbe, type HealthMonitor, type HealthSettings } from './health-rules.ts';
import type { Entry } from './table.ts';
import type { Health, HealthProbe } from './types.ts';

const nanosPerMilli = 1_000_000;
const defaults = { intervalMs: 30_000, timeoutMs: 30_000, startIntervalMs: 5_000, retries: 3 };
const maxOutput = 4096;
const shell = ['/bin/sh', '-c'];

function commandOf(
  check: HealthConfig,
  ownShell: readonly string[] | null | undefined,
): readonly string[] | undefined {
  const [kind, ...rest] = check.Test ?? [];
  if (kind === 'CMD') return rest;
  if (kind === 'CMD-SHELL')
    return [...(ownShell != null && ownShell.length > 0 ? ownShell : shell), rest.join(' ')];
  return undefined;
}

function settingsOf(check: HealthConfig): HealthSettings {
  const milliseconds = (nanos: number | undefined, otherwise: number): number =>
    nanos === undefined || nanos === 0 ? otherwise : nanos / nanosPerMilli;
  return {
    intervalMs: milliseconds(check.Interval, defaults.intervalMs),
    timeoutMs: milliseconds(check.Timeout, defaults.timeoutMs),
    startPeriodMs: milliseconds(check.StartPeriod, 0),
    startIntervalMs: milliseconds(check.StartInterval, defaults.startIntervalMs),
    retries: check.Retries === undefined || check.Retries === 0 ? defaults.retries : check.Retries,
  };
}

/** Runs the command once; a probe that takes too long is killed and counts as failed (-1, as Docker shows it). */
async function probe(
  room: Room,
  entry: Entry,
  command: readonly string[],
  timeoutMs: number,
): Promise<HealthProbe> {
  const ctx = backgroundCtx(room.log);
  const start = formatNano(nowNano());
  const done = (exitCode: number, output: string): HealthProbe => ({
    start,
    end: formatNano(nowNano()),
    exitCode,
    output,
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    const { id } = await execCreate(room, ctx, entry.id, {
      attachStdin: false,
      attachStdout: true,
      attachStderr: true,
      tty: false,
      env: [],
      cmd: command,
      privileged: false,
      user: '',
      workingDir: '',
      detachKeys: undefined,
      consoleSize: undefined,
    });
    const run = await execStart(room, ctx, id, { detach: false, tty: false, consoleSize: undefined });
    let output = '';
    const collect = (chunk: Buffer): void => {
      if (output.length < maxOutput) output = (output + chunk.toString('utf8')).slice(0, maxOutput);
    };
    run.attachment?.stdout.on('data', collect);
    run.attachment?.stderr.on('data', collect);
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), timeoutMs);
    });
    const first = await Promise.race([run.exit, late]);
    if (first !== 'late') return done(first.exitCode, output);
    await entry.task?.signal(9, id);
    run.attachment?.detach();
    return done(-1, `Health check exceeded timeout (${timeoutMs}ms)`);
  } catch (error) {
    return done(-1, error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
}

class Monitor implements HealthMonitor {
  health: Health;
  readonly #room: Room;
  readonly #entry: Entry;
  readonly #command: readonly string[];
  readonly #settings: HealthSettings;
  readonly #since: number;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(room: Room, entry: Entry, command: readonly string[], settings: HealthSettings, since: number) {
    this.#room = room;
    this.#entry = entry;
    this.#command = command;
    this.#settings = settings;
    this.#since = since;
    this.health = { status: 'starting', failingStreak: 0, log: [] };
    this.#next();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #inStartPeriod(): boolean {
    return Date.now() - this.#since < this.#settings.startPeriodMs;
  }

  #next(): void {
    if (this.#stopped) return;
    const { intervalMs, startIntervalMs } = this.#settings;
    const wait =
      this.health.status === 'starting' && this.#inStartPeriod()
        ? Math.min(startIntervalMs, intervalMs)
        : intervalMs;
    this.#timer = setTimeout(() => void this.#run(), wait);
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    // A frozen container cannot answer, which says nothing about its health.
    if (this.#entry.record.state.status === 'paused') return this.#next();
    const inStartPeriod = this.#inStartPeriod();
    const result = await probe(this.#room, this.#entry, this.#command, this.#settings.timeoutMs);
    if (this.#stopped) return;
    const before = this.health.status;
    this.health = judgeProbe(this.health, result, { inStartPeriod, retries: this.#settings.retries });
    if (this.health.status !== before) {
      emitContainer(this.#room, this.#entry.record, `health_status: ${this.health.status}`);
    }
    this.#next();
  }
}

/** Begins the checks of a container that just started (or was found running); does nothing when it has none. */
export function startHealth(room: Room, entry: Entry): void {
  const check = entry.record.config.Healthcheck;
  if (check == null) return;
  const command = commandOf(check, entry.record.config.Shell);
  if (command === undefined || command.length === 0) return;
  const since = Date.parse(entry.record.state.startedAt);
  entry.health = new Monitor(room, entry, command, settingsOf(check), since);
}
