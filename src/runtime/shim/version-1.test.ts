/**
 * A shim of version 1, played back byte for byte as documented: a newer daemon must go on serving it. These bytes never change; a later
 * version gets a file of its own.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { backgroundCtx } from '../../core/ctx.ts';
import { silentLogger } from '../../core/log.ts';
import type { Host } from '../../core/ports/host.ts';
import { createRuntime } from './index.ts';
import { shimPaths } from './paths.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

const hello = bytes('01 00 0000 08000000 534c5759 0100 0100');
/** Phase, bits, pid 4660, ticks 7, code, signal, time, lost lines. */
const running = bytes(
  '02 00 0000 30000000 01 00 0000 34120000 0700000000000000 00000000 00000000 0000000000000000 0000000000000000 0000000000000000',
);
const exited = bytes(
  '02 00 0000 30000000 02 05 0000 34120000 0700000000000000 89000000 09000000 00e40b5402000000 0000000000000000 0000000000000000',
);
const attached = bytes('0a 00 0000 00000000');
const output = bytes('04 02 0000 03000000 6f7574 04 04 0000 03000000 657272');
const end = bytes('05 00 0000 08000000 89000000 09000000');

const controlHello = '4000000008000000534c575901000100';
const attachHello = '4000000008000000534c575901000207';
const stdin = '41000000020000006869';
const stdinEof = '4200000000000000';
/** 24 rows, 80 columns. */
const resize = '430000000400000018005000';
const release = '4500000000000000';

const id = 'a'.repeat(64);
const directory = mkdtempSync(join(tmpdir(), 'slip-'));
const received: { control: string; attach: string } = { control: '', attach: '' };
let server: Server;
const sockets: { control?: Socket; attach?: Socket } = {};
let noticed: () => void = () => {};

/** Resolves when what was received satisfies the check. */
async function until(check: () => boolean): Promise<void> {
  while (!check()) {
    await new Promise<void>((resolve) => {
      noticed = resolve;
    });
  }
}

function serve(socket: Socket): void {
  let kind: 'control' | 'attach' | undefined;
  let text = '';
  socket.on('error', () => {});
  socket.write(hello);
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('hex');
    if (kind === undefined) {
      kind = text.startsWith(attachHello) ? 'attach' : 'control';
      sockets[kind] = socket;
      socket.write(kind === 'control' ? running : Buffer.concat([attached, output]));
    }
    received[kind] = text;
    noticed();
  });
}

const options = () => ({
  host: {} as Host,
  shimPath: '',
  runtimes: [],
  runDir: directory,
  log: silentLogger,
});

before(async () => {
  const runtime = shimPaths(directory, '');
  await createRuntime(options());
  server = createServer(serve);
  await new Promise<void>((resolve) => {
    server.listen(runtime.socket(id), resolve);
  });
});
after(() => {
  server.close();
  rmSync(directory, { recursive: true });
});

test('a daemon takes over a container of a shim of version 1', async () => {
  const runtime = await createRuntime(options());
  const input = {
    containerId: id,
    bundle: join(directory, 'bundles', id),
    exitPath: join(directory, 'exit'),
    terminal: false,
    cgroupPaths: [],
    runtime: 'crun',
  };
  const found = await runtime.recover(backgroundCtx(), input);
  assert.ok(found.state === 'running');
  const { task } = found;
  assert.deepEqual([task.pid, task.pidStartTicks], [0x1234, '7']);

  const attachment = await task.attach({ stdin: true, stdout: true, stderr: true });
  const first = async (stream: NodeJS.ReadableStream): Promise<string> => {
    for await (const chunk of stream) return String(chunk);
    return '';
  };
  assert.deepEqual([await first(attachment.stdout), await first(attachment.stderr)], ['out', 'err']);
  attachment.stdin?.write('hi');
  attachment.stdin?.end();
  await until(() => received.attach === attachHello + stdin + stdinEof);

  await task.resize(24, 80);
  await until(() => received.control === controlHello + resize);
  sockets.attach?.write(end);
  await once(sockets.attach ?? server, 'close');
  sockets.control?.write(exited);
  assert.deepEqual(await task.exit, { exitCode: 137, exitedAtNano: 10_000_000_000n, oomKilled: true });
  task.release();
  await until(() => received.control === controlHello + resize + release);
});
