/** Commands run in a running container. */

import { invalid, toSlipwayError } from '../../core/errors.ts';
import { encodeExec } from '../encode/containers.ts';
import type { Exchange } from '../exchange.ts';
import type { ApiServices } from '../services.ts';
import { closeGently, joinStreams, readInput } from '../streams/attach.ts';
import { parseDetachKeys } from '../streams/detach-keys.ts';
import { stdoutStream, writePiece } from '../streams/frames.ts';
import { execTakesConsoleSize, namesMultiplexedStreams } from '../versions.ts';
import { multiplexedStream, rawStream } from './container-streams.ts';
import type { Routes } from './route.ts';

function consoleSize(
  exchange: Exchange,
  size: readonly number[] | null | undefined,
): readonly [number, number] | undefined {
  const [rows, columns] = size ?? [];
  if (rows === undefined || columns === undefined || !execTakesConsoleSize(exchange.version))
    return undefined;
  return rows === 0 && columns === 0 ? undefined : [rows, columns];
}

async function create(services: ApiServices, exchange: Exchange<'ContainerExec'>): Promise<void> {
  const body = await exchange.body();
  if (body.Cmd === undefined || body.Cmd.length === 0) throw invalid('No exec command specified');
  if (body.DetachKeys !== undefined) parseDetachKeys(body.DetachKeys, 'escape keys');
  const { id } = await services.containers.execCreate(exchange.ctx, exchange.name, {
    attachStdin: body.AttachStdin ?? false,
    attachStdout: body.AttachStdout ?? false,
    attachStderr: body.AttachStderr ?? false,
    tty: body.Tty ?? false,
    env: body.Env ?? [],
    cmd: body.Cmd,
    privileged: body.Privileged ?? false,
    user: body.User ?? '',
    workingDir: body.WorkingDir ?? '',
    detachKeys: body.DetachKeys === '' ? undefined : body.DetachKeys,
    consoleSize: consoleSize(exchange, body.ConsoleSize),
  });
  exchange.json(201, { Id: id });
}

/**
 * The connection is taken over before the command starts, as clients expect; a failure to start then travels as output, and
 * the exit code (126, 127) is seen by inspecting the exec.
 */
async function start(services: ApiServices, exchange: Exchange<'ExecStart'>): Promise<void> {
  const body = await exchange.body();
  const view = await services.containers.execInspect(exchange.ctx, exchange.name);
  const tty = body.Tty ?? false;
  const input = { detach: body.Detach ?? false, tty, consoleSize: consoleSize(exchange, body.ConsoleSize) };
  if (input.detach) {
    await services.containers.execStart(exchange.ctx, exchange.name, input);
    return exchange.empty(200);
  }
  const named = !tty && namesMultiplexedStreams(exchange.version);
  const { socket, head, headRead } = exchange.hijack(named ? multiplexedStream : rawStream);
  const detachKeys = tty ? parseDetachKeys(view.detachKeys) : undefined;
  const client = { socket, head, multiplexed: !tty, detachKeys, headRead };
  let detach = (): void => {};
  const stdin = readInput(client, () => detach());
  try {
    const { attachment } = await services.containers.execStart(exchange.ctx, exchange.name, input);
    if (attachment !== undefined) {
      detach = () => attachment.detach();
      if (socket.destroyed) detach();
      await joinStreams(client, stdin, attachment);
    }
  } catch (error) {
    await headRead;
    const words = Buffer.from(`${toSlipwayError(error).message}\r\n`);
    if (!socket.destroyed) writePiece(socket, tty ? undefined : stdoutStream, words);
  } finally {
    closeGently(socket);
  }
}

export const execRoutes: Routes<'ContainerExec' | 'ExecStart' | 'ExecResize' | 'ExecInspect'> = {
  ContainerExec: create,
  ExecStart: start,
  ExecResize: async (services, exchange) => {
    const rows = exchange.query.requiredInteger('h');
    const columns = exchange.query.requiredInteger('w');
    await services.containers.execResize(exchange.ctx, exchange.name, rows, columns);
    exchange.empty(200);
  },
  ExecInspect: async (services, exchange) => {
    exchange.json(200, encodeExec(await services.containers.execInspect(exchange.ctx, exchange.name)));
  },
};
