import type { Ctx } from '../../core/ctx.ts';
import { conflict, invalid, notModified, SlipwayError, toSlipwayError } from '../../core/errors.ts';
import { isActive, type ContainerRecord } from '../../core/model/container.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { commitRecord } from './commit.ts';
import { hasRetries } from './restart-policy.ts';
import { cancelRestart } from './restart.ts';
import { parseSignal, sigkill, sigterm } from './signals.ts';
import { startContainer } from './start.ts';
import type { Entry } from './table.ts';
import type { StopInput } from './types.ts';

const defaultTimeout = 10;
/** After SIGKILL a process may hang in the kernel; then the stop is reported as failed rather than never answered. */
const killGraceMs = 10_000;

const stopSignal = (record: ContainerRecord): number => {
  const own = record.config.StopSignal;
  return own === undefined || own === '' ? sigterm : parseSignal(own);
};

/** Who ends a run: a person, whose word keeps the restart policy off, or the engine, which starts it again. */
type Ender = 'person' | 'engine';

/** The word of a person counts also where it cannot be written: on a disk that takes nothing it holds as long as the daemon runs. */
async function noteStop(room: Room, entry: Entry): Promise<void> {
  if (entry.record.manuallyStopped) return;
  const record = { ...entry.record, manuallyStopped: true };
  try {
    await commitRecord(room, entry, record);
  } catch (error) {
    room.log.warn('stop not written', { container: entry.id, error });
    entry.record = record;
  }
}

/** Sends the signal and records the intent, inside the queue. Returns false when nothing runs. */
async function signalToStop(room: Room, entry: Entry, signal: number, ender: Ender): Promise<boolean> {
  return await room.queue.run(entry.id, async () => {
    if (ender === 'person') await cancelRestart(room, entry);
    const { task, record } = entry;
    if (task === undefined || !isActive(record.state)) return false;
    if (ender === 'person') entry.stopRequested = true;
    if (ender === 'person') await noteStop(room, entry);
    await task.signal(signal);
    emitContainer(room, entry.record, 'kill', { signal: String(signal) });
    // A frozen process sees the signal only when it thaws.
    if (entry.record.state.status === 'paused') await task.resume();
    return true;
  });
}

/** Resolves true when the run ended within the time; a negative time waits for ever. */
async function endsWithin(entry: Entry, milliseconds: number): Promise<boolean> {
  const ended = entry.ended.promise.then(() => true);
  if (milliseconds < 0) return await ended;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  try {
    return await Promise.race([ended, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Stops what runs and returns when its exit is committed. */
export async function stopRunning(
  room: Room,
  entry: Entry,
  input: StopInput,
  ender: Ender = 'person',
): Promise<boolean> {
  const { record } = entry;
  const signal = input.signal === undefined ? stopSignal(record) : parseSignal(input.signal);
  const seconds = input.timeout ?? record.config.StopTimeout ?? defaultTimeout;
  if (!(await signalToStop(room, entry, signal, ender))) return false;
  if (await endsWithin(entry, seconds < 0 ? -1 : seconds * 1000)) return true;
  await signalToStop(room, entry, sigkill, ender);
  if (await endsWithin(entry, killGraceMs)) return true;
  throw conflict(
    `cannot stop container: ${record.id}: tried to kill container, but did not receive an exit event`,
  );
}

/** Ends an unhealthy run in the way of `stop`, when the policy is `on-unhealthy` and has a retry left; the exit then restarts it. */
export async function endUnhealthy(room: Room, entry: Entry): Promise<void> {
  const { hostConfig, restartCount } = entry.record;
  const policy = hostConfig.RestartPolicy;
  if (policy?.Name !== 'on-unhealthy' || !hasRetries({ policy, restartCount })) return;
  room.log.info('unhealthy container is restarted', { container: entry.id, restarts: restartCount });
  await stopRunning(room, entry, { signal: undefined, timeout: undefined }, 'engine');
}

export async function stopContainer(room: Room, _ctx: Ctx, ref: string, input: StopInput): Promise<void> {
  const entry = room.table.resolve(ref);
  const wasRestarting = entry.record.state.status === 'restarting';
  const stopped = await stopRunning(room, entry, input);
  if (!stopped && !wasRestarting) throw notModified(`container ${entry.id} is already stopped`);
  emitContainer(room, entry.record, 'stop');
}

export async function restartContainer(room: Room, ctx: Ctx, ref: string, input: StopInput): Promise<void> {
  const entry = room.table.resolve(ref);
  const stopped = await stopRunning(room, entry, input);
  if (stopped) emitContainer(room, entry.record, 'stop');
  await startContainer(room, ctx, entry.id);
  emitContainer(room, entry.record, 'restart');
}

/** What to kill, and how; errors say that killing is what failed. */
function killTarget(room: Room, ref: string, signalText = ''): { entry: Entry; signal: number } {
  try {
    if (/^\d{2,}$/.test(signalText) && Number(signalText) > 64)
      throw invalid(`the linux daemon does not support signal ${signalText}`);
    const signal = signalText === '' ? sigkill : parseSignal(signalText);
    return { entry: room.table.resolve(ref), signal };
  } catch (error) {
    const { kind, message } = toSlipwayError(error);
    throw new SlipwayError(kind, `cannot kill container: ${ref}: ${message}`, { cause: error });
  }
}

/** Sends one signal; SIGKILL waits until the exit is committed, as Docker's kill does. */
export async function killContainer(
  room: Room,
  _ctx: Ctx,
  ref: string,
  signalText: string | undefined,
): Promise<void> {
  const { entry, signal } = killTarget(room, ref, signalText);
  await room.queue.run(entry.id, async () => {
    const { task, record } = entry;
    if (task === undefined || !isActive(record.state)) {
      throw conflict(`cannot kill container: ${ref}: container ${record.id} is not running`);
    }
    const ends = signal === sigkill || signal === stopSignal(record);
    if (ends) entry.stopRequested = true;
    if (ends) await noteStop(room, entry);
    await task.signal(signal);
    if (signal === sigkill && entry.record.state.status === 'paused') await task.resume();
  });
  emitContainer(room, entry.record, 'kill', { signal: String(signal) });
  if (signal === sigkill) await endsWithin(entry, killGraceMs);
}
