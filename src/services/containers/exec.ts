import { setTimeout as delay } from 'node:timers/promises';
import type { Ctx } from '../../core/ctx.ts';
import { conflict, internal, invalid, notFound } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import type { ExecTask, Task } from '../../core/ports/runtime.ts';
import type { ResolvedUser } from '../../core/ports/spec-builder.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { containerEnv, overlayEnv } from './environment.ts';
import { checkWorkingDir, startFailed } from './exec-failure.ts';
import { newExecSession, type ExecSession } from './exec-session.ts';
import { lookupUser } from './rootfs-files.ts';
import type { Entry } from './table.ts';
import type { ExecCreateInput, ExecStartInput, ExecStartResult, ExecView } from './types.ts';

/** Ended sessions stay for inspect this long; clients ask for the exit code after the stream has ended. */
const keepEndedMs = 5 * 60_000;
/** Between the end of the output and the exit; longer when the process closed its output and runs on. */
const exitGraceMs = 1000;

/** `ref` is how the client named it. */
function runningTask(entry: Entry, ref = entry.id): Task {
  const { state, id } = entry.record;
  if (state.status === 'paused') {
    throw conflict(`Container ${ref} is paused, unpause the container before exec`);
  }
  if (state.status === 'restarting') {
    throw conflict(`container ${id} is restarting, wait until the container is running`);
  }
  if (state.status !== 'running' || entry.task === undefined)
    throw conflict(`container ${id} is not running`);
  return entry.task;
}

/** As Docker writes it: a command without arguments ends in a blank. */
const commandText = ({ cmd: [program = '', ...args] }: ExecCreateInput): string =>
  `${program} ${args.join(' ')}`;

/** Prepares an exec; nothing runs yet. */
export async function execCreate(
  room: Room,
  _ctx: Ctx,
  ref: string,
  input: ExecCreateInput,
): Promise<{ readonly id: string }> {
  const entry = room.table.resolve(ref);
  if (input.cmd.length === 0) throw invalid('No exec command specified');
  const nameless = input.env.find((variable) => variable === '' || variable.startsWith('='));
  if (nameless !== undefined) throw invalid(`invalid environment variable: ${nameless}`);
  runningTask(entry, ref);
  const session = newExecSession(newId(), entry.id, input);
  entry.execs.set(session.id, session);
  room.table.registerExec(session.id, entry);
  emitContainer(room, entry.record, `exec_create: ${commandText(input)}`, { execID: session.id });
  return { id: session.id };
}

function sessionOf(room: Room, execId: string): { entry: Entry; session: ExecSession } {
  const entry = room.table.execOwner(execId);
  const session = entry.execs.get(execId);
  if (session === undefined) throw internal(`exec ${execId} has no session`);
  return { entry, session };
}

/** The user of an exec: the container's own files as they are now. */
async function execUser(room: Room, record: ContainerRecord, user: string): Promise<ResolvedUser> {
  const wanted = user === '' ? (record.config.User ?? '') : user;
  return await lookupUser(
    room.host,
    `/proc/${record.state.pid}/root`,
    wanted,
    record.hostConfig.GroupAdd ?? [],
  );
}

async function launch(
  room: Room,
  ctx: Ctx,
  entry: Entry,
  session: ExecSession,
  input: ExecStartInput,
): Promise<ExecTask> {
  const { record } = entry;
  const task = runningTask(entry);
  const options = session.input;
  const user = await execUser(room, record, options.user);
  await checkWorkingDir(room, record, options.workingDir);
  const size = input.consoleSize ?? session.size ?? options.consoleSize;
  const own = containerEnv(record, room.networks.linkEnvironment(record), user.home, options.tty);
  const process = room.specs.exec({
    record,
    args: options.cmd,
    env: overlayEnv(own, options.env),
    workingDir: options.workingDir || record.config.WorkingDir || '/',
    user,
    terminal: options.tty,
    privileged: options.privileged,
    consoleSize: size,
  });
  return await task.exec(ctx, {
    execId: session.id,
    process,
    terminal: options.tty,
    ...(size === undefined ? {} : { consoleSize: size }),
    openStdin: options.attachStdin && !input.detach,
    attach: input.detach
      ? undefined
      : { stdin: options.attachStdin, stdout: options.attachStdout, stderr: options.attachStderr },
  });
}

/** Runs what `execCreate` prepared; once. */
export async function execStart(
  room: Room,
  ctx: Ctx,
  execId: string,
  input: ExecStartInput,
): Promise<ExecStartResult> {
  const { entry, session } = sessionOf(room, execId);
  runningTask(entry);
  if (session.started) {
    throw conflict(
      session.running
        ? `Error: Exec command ${execId} is already running`
        : `Error: Exec command ${execId} has already run`,
    );
  }
  session.started = true;
  session.running = true;
  emitContainer(room, entry.record, `exec_start: ${commandText(session.input)}`, { execID: execId });
  try {
    session.task = await launch(room, ctx, entry, session, input);
  } catch (error) {
    const failure = startFailed(error, session.input.cmd[0] ?? '');
    finish(room, entry, session, failure.exitCode);
    throw failure.error;
  }
  session.pid = session.task.pid;
  const exit = session.task.exit.then(({ exitCode }) => {
    finish(room, entry, session, exitCode);
    emitContainer(room, entry.record, 'exec_die', { exitCode: String(exitCode), execID: execId });
    return { exitCode };
  });
  session.exit = exit;
  const { attachment } = session.task;
  attachment?.stdout.once('end', () => {
    session.outputEnded = true;
  });
  return { tty: session.input.tty, attachment, exit };
}

function finish(room: Room, entry: Entry, session: ExecSession, exitCode: number): void {
  session.running = false;
  session.exitCode = exitCode;
  session.forget = setTimeout(() => forgetExec(room, entry, session.id), keepEndedMs);
  session.forget.unref();
}

/** Forgets a session at once: nobody will ask for it any more. Idempotent. */
export function forgetExec(room: Room, entry: Entry, execId: string): void {
  clearTimeout(entry.execs.get(execId)?.forget);
  entry.execs.delete(execId);
  room.table.forgetExec(execId);
}

export function execView(session: ExecSession): ExecView {
  const { input } = session;
  const [entrypoint = '', ...args] = input.cmd;
  return {
    id: session.id,
    containerId: session.containerId,
    running: session.running,
    exitCode: session.exitCode,
    pid: session.pid,
    openStdin: input.attachStdin,
    openStdout: input.attachStdout,
    openStderr: input.attachStderr,
    canRemove: false,
    detachKeys: input.detachKeys ?? '',
    tty: input.tty,
    entrypoint,
    arguments: args,
    privileged: input.privileged,
    user: input.user,
  };
}

export async function execInspect(room: Room, execId: string): Promise<ExecView> {
  const { session } = sessionOf(room, execId);
  // Clients ask for the exit code the moment the output ends, which may be a little before the exit is known here.
  if (session.running && session.outputEnded && session.exit !== undefined) {
    await Promise.race([session.exit, delay(exitGraceMs, undefined, { ref: false })]);
  }
  return execView(session);
}

export async function execResize(room: Room, execId: string, rows: number, columns: number): Promise<void> {
  const { session } = sessionOf(room, execId);
  session.size = [rows, columns];
  if (session.task === undefined || !session.running) {
    if (session.exitCode !== undefined) throw notFound(`process does not exist ${execId}: not found`);
    if (session.started) return;
    throw conflict(`exec ${execId} is not running`);
  }
  await session.task.resize(rows, columns);
}
