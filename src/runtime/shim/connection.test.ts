import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { isKind, isErrno } from '../../core/errors.ts';
import { ShimAttachment } from './attachment.ts';
import { openConnection } from './connection.ts';
import { encodeFrame, frameType, role, streamBit } from './protocol.ts';

const directory = mkdtempSync(join(tmpdir(), 'slip-'));
const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
  rmSync(directory, { recursive: true });
});

async function listen(name: string, says: Buffer | 'nothing' | 'goodbye'): Promise<string> {
  const path = join(directory, name);
  const server = createServer((socket) => {
    socket.on('error', () => {});
    if (says === 'goodbye') socket.destroy();
    else if (says !== 'nothing') socket.write(says);
  });
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  return path;
}

const open = (path: string, patienceMs = 30_000) => openConnection(path, role.control, 0, 0, patienceMs);

test('no shim', async () => {
  // On a busy machine even this answer may take longer than the patience of the other tests.
  const opened = openConnection(join(directory, 'none'), role.control, 0, 0, 30_000);
  await assert.rejects(opened, (error) => isErrno(error, 'ENOENT'));
});

test('a shim that ends at once', async () => {
  await assert.rejects(open(await listen('ends', 'goodbye')), (error) => isKind(error, 'unavailable'));
});

test('a shim that does not answer', async () => {
  const path = await listen('silent', 'nothing');
  await assert.rejects(
    open(path, 50),
    (error) => isKind(error, 'unavailable') && /does not answer/.test(error.message),
  );
});

test('a shim of a future that knows no version of today', async () => {
  const hello = Buffer.from('0100000008000000534c575909000a00', 'hex');
  await assert.rejects(open(await listen('future', hello)), (error) => isKind(error, 'notImplemented'));
});

test('what the shim sent before it closed is read, though a write met the closed end first', async () => {
  const hello = Buffer.alloc(8);
  hello.write('SLWY');
  hello.writeUInt16LE(1, 4);
  hello.writeUInt16LE(1, 6);
  const output = Buffer.from('all of the output');
  const path = join(directory, 'quick');
  const ended = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(encodeFrame(frameType.hello, { payload: hello }));
    socket.once('data', () => {
      socket.on('close', () => ended.resolve());
      socket.write(encodeFrame(frameType.data, { flags: streamBit.stdout, payload: output }));
      socket.write(encodeFrame(frameType.end), () => socket.destroy());
    });
  });
  servers.push(server);
  await once(server.listen(path), 'listening');
  const connection = await openConnection(path, role.exec, 7);
  const attachment = new ShimAttachment(connection, { stdin: true, stdout: true, stderr: true });
  const closed = new Promise((resolve) => {
    connection.socket.once('close', resolve);
  });
  // As on a busy machine: the process has ended before anything of it is read here.
  connection.socket.pause();
  setImmediate(() => connection.socket.pause());
  await ended.promise;
  attachment.stdin?.end();
  await closed;
  assert.equal(await text(attachment.stdout), 'all of the output');
});
