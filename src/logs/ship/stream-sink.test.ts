import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ShippedLine } from './sink.ts';
import { streamConnect } from './stream-sink.ts';

const line: ShippedLine = {
  stream: 'stdout',
  text: Buffer.from('x'),
  time: '2026-01-02T03:04:05Z',
  timeNano: 0n,
  part: undefined,
};

test('a connection that lives long keeps nothing of what was sent', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const server = createServer((socket) => socket.resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connect = streamConnect({ kind: 'tcp', host: '127.0.0.1', port }, (lines) =>
    Buffer.concat(lines.map(({ text }) => text)),
  );
  const sink = await connect(new AbortController().signal);
  const sendMany = async (): Promise<number> => {
    for (let count = 0; count < 3000; count += 1) await sink.send([line]);
    collect();
    return process.memoryUsage().heapUsed;
  };
  await sendMany();
  const before = await sendMany();
  const after = await sendMany();
  // A hundred bytes for each would be as much.
  assert.ok(after - before < 300_000, `${after - before} bytes more`);
  await sink.finish();
  sink.destroy();
  server.close();
});

test('a receiver that does not read is not taken for one that has all', async () => {
  const server = createServer((socket) => socket.pause());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connect = streamConnect({ kind: 'tcp', host: '127.0.0.1', port }, () => Buffer.alloc(64 << 20));
  const sink = await connect(new AbortController().signal);
  const sent = assert.rejects(sink.send([line]));
  await assert.rejects(sink.finish(), /the receiver does not read/);
  sink.destroy();
  await sent;
  server.close();
});

test('a broken connection fails what is being sent', async () => {
  const server = createServer((socket) => {
    socket.once('data', () => socket.resetAndDestroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connect = streamConnect({ kind: 'tcp', host: '127.0.0.1', port }, () => Buffer.alloc(8 << 20));
  const sink = await connect(new AbortController().signal);
  await assert.rejects(async () => {
    for (;;) await sink.send([line]);
  });
  assert.ok((await sink.broken) instanceof Error);
  sink.destroy();
  server.close();
});
