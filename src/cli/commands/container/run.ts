/** `run`: create, attach, start, wait. */
import type { Client, WaitResult } from '../../../client/index.ts';
import { checkTty } from '../../attach/check-tty.ts';
import { DEFAULT_KEYS } from '../../attach/detach-keys.ts';
import { followSize } from '../../attach/resize.ts';
import { runSession } from '../../attach/session.ts';
import { forwardSignals } from '../../attach/signals.ts';
import { type CommandContext, type CommandModule, minArgs } from '../../command.ts';
import { CliError, EXIT_ENGINE, EXIT_OK, startErrorCode } from '../../exit.ts';
import { errorText } from '../../failure.ts';
import { type AttachFlags, attachOf, createBody, type CreateBody } from '../../run/create-body.ts';
import { createContainer } from '../../run/create-container.ts';
import { RUN_CHECKS } from '../../run/checks.ts';
import { runFailure } from '../../run/failure.ts';
import { runHint } from '../../run/hints.ts';

const DETACHED: AttachFlags = { stdin: false, stdout: false, stderr: false };

/** Runs `make` and puts docker's frame around its error. */
function framed<T>(path: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw runFailure(path, error, EXIT_ENGINE);
  }
}

/** The body as the engine gets it: who detaches attaches nothing, who has a terminal tells its size. */
function bodyOf({ io, flags, args, path }: CommandContext): { body: CreateBody; attach: AttachFlags } {
  const body = framed(path, () => createBody(flags, args, io.env));
  if (flags.bool('detach')) {
    if (flags.list('attach').length > 0)
      throw new CliError('conflicting options: cannot specify both --attach and --detach');
    const quiet = { AttachStdin: false, AttachStdout: false, AttachStderr: false, StdinOnce: false };
    return { body: { ...body, ...quiet }, attach: DETACHED };
  }
  const attach = attachOf(flags);
  checkTty(io, attach.stdin, body.Tty);
  if (!body.Tty || !io.stdout.isTerminal) return { body, attach };
  const { rows, columns } = io.stdout.size();
  return { body: { ...body, HostConfig: { ...body.HostConfig, ConsoleSize: [rows, columns] } }, attach };
}

async function exitCodeOf(result: Promise<WaitResult>): Promise<number> {
  const { StatusCode, Error: failed } = await result;
  return failed?.Message !== undefined && failed.Message !== '' ? EXIT_ENGINE : StatusCode;
}

interface Started {
  readonly id: string;
  readonly body: CreateBody;
  readonly attach: AttachFlags;
  readonly detachKeys: string;
}

/** Starts the container with its streams connected and answers its exit code. */
async function runAttached(
  c: CommandContext,
  client: Client,
  { id, body, attach, detachKeys }: Started,
): Promise<number> {
  const { io, flags } = c;
  const any = attach.stdin || attach.stdout || attach.stderr;
  const removed = body.HostConfig['AutoRemove'] === true;
  // Both must be with the engine before the start, or a short-lived container's output and exit are missed.
  const [stream, waiting] = await Promise.all([
    any
      ? client.containers.attach(id, { ...attach, detachKeys: detachKeys === '' ? undefined : detachKeys })
      : undefined,
    client.containers.wait(id, removed ? 'removed' : 'next-exit'),
  ]);
  try {
    await client.containers.start(id);
  } catch (error) {
    stream?.destroy();
    // The name must be free again when the command ends, whether or not the engine sees to that itself.
    if (removed) await client.containers.remove(id, { force: true }).catch(() => undefined);
    throw error;
  }
  const stopSize = body.Tty ? followSize(io, (size) => client.containers.resize(id, size)) : () => undefined;
  const stopSignals = flags.bool('sig-proxy') && !body.Tty ? forwardSignals(io, client, id) : () => undefined;
  try {
    if (stream !== undefined) {
      const end = await runSession(io, {
        stream,
        tty: body.Tty,
        ...attach,
        detachKeys: detachKeys || DEFAULT_KEYS,
      });
      if (end.kind === 'detached') return EXIT_OK;
      if (end.kind === 'signal') return end.exitCode;
    }
    return await exitCodeOf(waiting.result);
  } finally {
    stopSize();
    stopSignals();
  }
}

export const command: CommandModule = {
  args: minArgs(1),
  interspersed: false,
  checks: RUN_CHECKS,
  async run(c) {
    const { io, flags, args, path, client, config } = c;
    const planned = bodyOf(c);
    let started = false;
    try {
      const id = await createContainer(c, planned.body);
      started = true;
      if (flags.bool('detach')) {
        await client().containers.start(id);
        io.stdout.write(`${id}\n`);
        return EXIT_OK;
      }
      const detachKeys = flags.string('detach-keys') || (config().detachKeys ?? '');
      return await runAttached(c, client(), { id, ...planned, detachKeys });
    } catch (error) {
      if (error instanceof CliError && error.message === '') throw error;
      const message = errorText(error);
      const code = started ? startErrorCode(message) : EXIT_ENGINE;
      throw runFailure(path, error, code, runHint(args, code, message));
    }
  },
};
