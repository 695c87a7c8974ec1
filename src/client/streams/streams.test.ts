import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEndpoint } from '../endpoint.ts';
import { ByteQueue } from './byte-queue.ts';
import { Demuxer } from './demux.ts';
import { jsonValues } from './json-lines.ts';

function frame(stream: number, text: string): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt8(stream, 0);
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

test('frames are found whatever the pieces', () => {
  const bytes = Buffer.concat([frame(1, 'one'), frame(2, ''), frame(2, 'two'), frame(1, 'three')]);
  for (const size of [1, 5, 9, 100]) {
    const demuxer = new Demuxer();
    const text = { 1: '', 2: '' } as Record<number, string>;
    for (let at = 0; at < bytes.length; at += size) {
      for (const part of demuxer.feed(bytes.subarray(at, at + size)))
        text[part.stream] += Buffer.from(part.data).toString();
    }
    assert.deepEqual(text, { 1: 'onethree', 2: 'two' });
  }
  assert.throws(
    () => [...new Demuxer().feed(Buffer.from('plain text of a terminal'))],
    /Unrecognized input header/,
  );
});

async function* pieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test('JSON values are found with and without line ends, cut anywhere', async () => {
  const text = '{"a":"}\\"{é"}\r\n{"b":[1,{"c":2}]}{"d":null}\n';
  for (const size of [1, 4, 1000]) {
    const values: unknown[] = [];
    for await (const value of jsonValues(pieces(text, size))) values.push(value);
    assert.deepEqual(values, [{ a: '}"{é' }, { b: [1, { c: 2 }] }, { d: null }]);
  }
  await assert.rejects(async () => {
    for await (const _ of jsonValues(pieces('{"a":1}{"b"', 100)));
  }, /unexpected EOF/);
});

test('a queue that nobody reads pauses its source', async () => {
  const calls: string[] = [];
  const queue = new ByteQueue({ pause: () => calls.push('pause'), resume: () => calls.push('resume') });
  for (let i = 0; i < 5; i++) queue.push(Buffer.alloc(100_000));
  assert.deepEqual(calls, ['pause']);
  assert.equal((await queue.read())?.length, 500_000);
  assert.deepEqual(calls, ['pause', 'resume']);
  queue.push(Buffer.from('x'));
  queue.fail(new Error('cut'));
  assert.equal((await queue.read())?.length, 1);
  await assert.rejects(queue.read(), /cut/);
});

test('endpoints', () => {
  assert.deepEqual(parseEndpoint('unix:///run/x.sock'), {
    kind: 'unix',
    path: '/run/x.sock',
    name: 'unix:///run/x.sock',
  });
  assert.deepEqual(parseEndpoint('tcp://h:1/base/'), {
    kind: 'tcp',
    host: 'h',
    port: 1,
    basePath: '/base',
    name: 'tcp://h:1/base/',
  });
  assert.deepEqual(parseEndpoint('h'), { kind: 'tcp', host: 'h', port: 2375, basePath: '', name: 'tcp://h' });
  const tls = parseEndpoint('tcp://[::1]', { verify: true });
  assert.ok(tls.kind === 'tcp' && tls.port === 2376 && tls.host === '::1');
  assert.throws(() => parseEndpoint('foo://x'), /invalid bind address format/);
});
