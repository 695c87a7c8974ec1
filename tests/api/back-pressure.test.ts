import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { LogBatch } from '../../src/core/log-batch.ts';
import { collect, startServer } from './fakes/server.ts';

const line = Buffer.from(`${'x'.repeat(99)}\n`);

/** A log that counts what was read of it. */
function endlessLog(): { readonly entries: AsyncIterable<LogBatch>; readonly read: () => number } {
  let count = 0;
  async function* generate(): AsyncGenerator<LogBatch> {
    for (;;) {
      // A reader takes many lines from one read of the file.
      await new Promise(setImmediate);
      count += 500;
      const entry = { stream: 'stdout', line, time: '2026-01-01T00:00:00Z' } as const;
      yield LogBatch.of(Array.from({ length: 500 }, () => entry));
    }
  }
  return { entries: generate(), read: () => count };
}

test('a client that does not read stops the reading of the log, framed or not', async (t) => {
  for (const tty of [false, true]) {
    const log = endlessLog();
    const server = await startServer(t, {
      containers: { logs: () => Promise.resolve({ tty, entries: log.entries }) },
    });
    const client = server.connect();
    client.write('GET /containers/c/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n');
    await collect(client, (text) => text.includes('\r\n\r\n'));
    client.pause();
    let before = -1;
    for (let turn = 0; turn < 2000 && before !== log.read(); turn++) {
      before = log.read();
      for (let round = 0; round < 20; round++) await new Promise(setImmediate);
    }
    assert.ok(log.read() * line.length < 8 * 1024 * 1024, `${log.read()} lines were read`);
    const stopped = log.read();
    const closed = once(client, 'close');
    client.on('data', () => {
      if (log.read() > stopped + 50_000) client.destroy();
    });
    client.resume();
    await closed;
  }
});
