/** One run of a health check's command in its container. */

import { backgroundCtx } from '../../core/ctx.ts';
import { formatGoDuration } from '../../core/go-duration.ts';
import type { HealthProbe } from '../../core/model/container.ts';
import type { Attachment } from '../../core/ports/runtime.ts';
import { formatNano, nowNano } from '../../core/time.ts';
import type { Room } from './deps.ts';
import { execCreate, execStart, forgetExec } from './exec.ts';
import type { HealthCheck } from './health-rules.ts';
import type { Entry } from './table.ts';

const maxOutput = 4096;
/** Starting a process may take long on a busy machine, which says nothing about the container. */
const startPatienceMs = 30_000;
/** Between the exit and the end of the output: a process of the check may hold it open for ever. */
const outputGraceMs = 1000;
const sigkill = 9;

/** The first bytes of what a command says; longer output ends in three dots, as Docker shows it. */
class Output {
  readonly #kept: Buffer[] = [];
  #length = 0;
  #truncated = false;

  add(chunk: Buffer): void {
    const part = chunk.subarray(0, maxOutput - this.#length);
    this.#length += part.length;
    if (part.length > 0) this.#kept.push(part);
    if (part.length < chunk.length) this.#truncated = true;
  }

  text(): string {
    return `${Buffer.concat(this.#kept).toString('utf8')}${this.#truncated ? '...' : ''}`;
  }
}

/** Resolves with `late` when `work` takes longer than that. */
async function within<T>(work: Promise<T>, milliseconds: number): Promise<T | 'late'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function collect(attachment: Attachment | undefined, output: Output): Promise<unknown> {
  if (attachment === undefined) return Promise.resolve();
  return Promise.all(
    [attachment.stdout, attachment.stderr].map(
      (stream) =>
        new Promise<void>((resolve) => {
          stream.on('data', (chunk: Buffer) => output.add(chunk));
          stream.once('close', resolve).once('end', resolve);
        }),
    ),
  );
}

async function run(
  room: Room,
  entry: Entry,
  check: HealthCheck,
  id: string,
): Promise<Pick<HealthProbe, 'exitCode' | 'output'>> {
  const ctx = backgroundCtx(room.log);
  const starting = execStart(room, ctx, id, { detach: false, tty: false, consoleSize: undefined });
  const started = await within(starting, startPatienceMs);
  if (started === 'late') {
    void starting.then((run) => run.attachment?.detach()).catch(() => {});
    return { exitCode: -1, output: `timed out starting health check for container ${entry.id}` };
  }
  const output = new Output();
  const complete = collect(started.attachment, output);
  const exit = await within(started.exit, check.timeoutMs);
  if (exit === 'late') {
    await entry.task?.signal(sigkill, id);
    await within(started.exit, outputGraceMs);
    started.attachment?.detach();
    const words = `Health check exceeded timeout (${formatGoDuration(BigInt(check.timeoutMs * 1e6))})`;
    const said = output.text();
    return { exitCode: -1, output: said === '' ? words : `${words}: ${said}` };
  }
  if ((await within(complete, outputGraceMs)) === 'late') started.attachment?.detach();
  return { exitCode: exit.exitCode, output: output.text() };
}

/** Runs the command once. A probe that takes too long is killed and counts as failed (-1), as does one that cannot be run. */
export async function runProbe(room: Room, entry: Entry, check: HealthCheck): Promise<HealthProbe> {
  const start = formatNano(nowNano());
  const done = (result: Pick<HealthProbe, 'exitCode' | 'output'>): HealthProbe => ({
    start,
    end: formatNano(nowNano()),
    ...result,
  });
  let id: string | undefined;
  try {
    ({ id } = await execCreate(room, backgroundCtx(room.log), entry.id, {
      attachStdin: false,
      attachStdout: true,
      attachStderr: true,
      tty: false,
      env: [],
      cmd: check.command,
      privileged: false,
      user: '',
      workingDir: '',
      detachKeys: undefined,
      consoleSize: undefined,
    }));
    return done(await run(room, entry, check, id));
  } catch (error) {
    return done({ exitCode: -1, output: error instanceof Error ? error.message : String(error) });
  } finally {
    if (id !== undefined) forgetExec(room, entry, id);
  }
}
