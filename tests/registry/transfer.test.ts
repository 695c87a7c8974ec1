/** Blobs on their way between a registry and a file, past the main loop: lines that break, bodies of ill will, cancellation. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { ClientRequest, RequestListener, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { backgroundCtx } from '../../src/core/ctx.ts';
import type { BlobTransfer } from '../../src/core/ports/registry.ts';
import { createRegistry, type RegistryClient } from '../../src/registry/index.ts';
import { TransferThread } from '../../src/registry/transfer/transfer-thread.ts';
import { serve, sha, stop, type Served } from './servers.ts';

const ctx = backgroundCtx();
const data = randomBytes(3_000_000);
const blob = { mediaType: '', digest: sha(data), size: data.length };
const all = [{ from: 0, to: data.length }];

let folder: string;
let file: string;
let served: Served;
let registry: RegistryClient;
let answerWith: (answer: ServerResponse) => void;
let connections = 0;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slip-transfer-'));
  file = join(folder, 'blob');
  served = await serve((_message, answer) => answerWith(answer));
  served.server.on('connection', () => connections++);
  registry = createRegistry({ retryDelayMs: 1, idleTimeoutMs: 500 });
});
after(async () => {
  await registry.close();
  stop(served.server);
  rmSync(folder, { recursive: true });
});

function fetch(signal = ctx.signal): Promise<BlobTransfer> {
  writeFileSync(file, '');
  const repository = { domain: served.host, path: 'team/app' };
  return registry.fetchBlob({ ...ctx, signal }, repository, blob, undefined);
}

const threads = (): number => readdirSync('/proc/self/task').length;

test('what came before the line broke is in the file, and is told', async () => {
  answerWith = (answer) => {
    answer.writeHead(200, { 'content-length': data.length });
    answer.write(data.subarray(0, 1_000_000), () => answer.destroy());
  };
  const body = await fetch();
  let reached = 0;
  const saving = body.save(file, all, (at, bytes) => {
    assert.equal(at, reached);
    reached += bytes;
  });
  await assert.rejects(saving, { kind: 'unavailable', message: 'unexpected EOF' });
  assert.equal(reached, 1_000_000);
  assert.ok(readFileSync(file).equals(data.subarray(0, reached)));
});

test('what came before anybody asked for it is not lost when the line breaks meanwhile', async () => {
  for (const length of [100, 200_000]) {
    const broken = Promise.withResolvers<void>();
    answerWith = (answer) => {
      answer.once('close', () => broken.resolve());
      answer.writeHead(200, { 'content-length': data.length });
      answer.write(data.subarray(0, length), () => answer.destroy());
    };
    const body = await fetch();
    await broken.promise;
    await delay(50);
    await assert.rejects(
      body.save(file, all, () => {}),
      { kind: 'unavailable', message: 'unexpected EOF' },
    );
    assert.ok(readFileSync(file).equals(data.subarray(0, length)));
  }
});

test('a body without a length, one that is too long, one that ends early', async () => {
  answerWith = (answer) => answer.end(data);
  await (await fetch()).save(file, all, () => {});
  assert.ok(readFileSync(file).equals(data));

  answerWith = (answer) => answer.end(Buffer.concat([data, data]));
  await assert.rejects(
    (await fetch()).save(file, all, () => {}),
    { kind: 'invalid', message: /more than 3000000/ },
  );

  answerWith = (answer) => answer.end(data.subarray(1));
  const short = (await fetch()).save(file, all, () => {});
  await assert.rejects(short, { kind: 'unavailable', message: 'unexpected EOF: 2999999 of 3000000 bytes' });
});

test('only the ranges that are wanted are written', async () => {
  answerWith = (answer) => answer.end(data);
  const ranges = [
    { from: 10, to: 20 },
    { from: 1_000_000, to: 2_500_000 },
  ];
  const told: { from: number; to: number }[] = [];
  await (
    await fetch()
  ).save(file, ranges, (from, bytes) => {
    const last = told.at(-1);
    if (last?.to === from) last.to += bytes;
    else told.push({ from, to: from + bytes });
  });
  assert.deepEqual(told, ranges);
  const found = readFileSync(file);
  assert.equal(found.length, 2_500_000);
  assert.ok(found.subarray(10, 20).equals(data.subarray(10, 20)));
  assert.ok(found.subarray(20, 1_000_000).every((byte) => byte === 0));
  assert.ok(found.subarray(1_000_000).equals(data.subarray(1_000_000, 2_500_000)));
});

test('a body that was read to its end leaves the connection for the next', async () => {
  answerWith = (answer) => answer.writeHead(200, { 'content-length': data.length }).end(data);
  await (await fetch()).save(file, all, () => {});
  const open = connections;
  for (let round = 0; round < 3; round++) await (await fetch()).save(file, all, () => {});
  assert.equal(connections, open);
});

test('a cancelled transfer settles, and nothing is written from then on', async () => {
  answerWith = (answer) => {
    answer.writeHead(200, { 'content-length': data.length });
    answer.write(data.subarray(0, 600_000));
  };
  const stopping = new AbortController();
  const body = await fetch(stopping.signal);
  const saving = body.save(file, all, () => stopping.abort());
  await assert.rejects(saving, { kind: 'unavailable' });
  const found = readFileSync(file).length;
  await delay(50);
  assert.equal(readFileSync(file).length, found);
  await assert.rejects(
    body.save(file, all, () => {}),
    { kind: 'unavailable', message: 'context canceled' },
  );
  await assert.rejects(fetch(AbortSignal.abort()), { kind: 'unavailable', message: 'context canceled' });
});

test('a body that stalls fails; so does a file that cannot be written, in its own words', async () => {
  answerWith = (answer) => {
    answer.writeHead(200, { 'content-length': data.length });
    answer.write(data.subarray(0, 100));
  };
  await assert.rejects(
    (await fetch()).save(file, all, () => {}),
    { kind: 'unavailable' },
  );
  assert.ok(readFileSync(file).equals(data.subarray(0, 100)));

  answerWith = (answer) => answer.end(data);
  await assert.rejects(
    (await fetch()).save('/dev/full', all, () => {}),
    {
      kind: 'internal',
      message: /no space left on device$/,
    },
  );
});

test('what the caller throws at what is written ends the transfer', async () => {
  answerWith = (answer) => answer.end(data);
  const thrown = new Error('enough');
  const saving = (await fetch()).save(file, all, () => {
    throw thrown;
  });
  await assert.rejects(saving, thrown);
});

test('the thread ends when there is nothing to do, and starts again', async () => {
  const ended = Promise.withResolvers<void>();
  const http = { userAgent: 'test', idleTimeoutMs: 1000, proxyEnv: {} };
  const thread = new TransferThread({ http, idleMs: 1, onThreadEnd: () => ended.resolve() });
  answerWith = (answer) => answer.end('hello');
  const request = { method: 'GET', url: new URL(served.base), tls: { verify: true } } as const;
  const before = threads();
  assert.equal((await (await thread.send(ctx, request)).read(100)).toString(), 'hello');
  assert.ok(threads() > before);
  await ended.promise;
  assert.equal(threads(), before);
  const again = await thread.send(ctx, request);
  assert.deepEqual([again.statusCode, again.statusMessage], [200, 'OK']);
  again.resume();
  await thread.close();
  await assert.rejects(thread.send(ctx, request), { kind: 'unavailable' });
});

/** A registry that takes uploads into `taken`, and notes what it is asked. */
function receiver(taken: Buffer[], asked: string[]): RequestListener {
  return (message, answer) => {
    asked.push(
      `${message.method} ${message.headers['content-range'] ?? message.headers['content-length'] ?? ''}`.trim(),
    );
    void buffer(message).then(
      (body) => {
        const headers = { location: '/v2/team/copy/blobs/uploads/1' };
        if (message.method === 'HEAD') answer.writeHead(404).end();
        else if (message.method === 'POST') answer.writeHead(202, headers).end();
        else {
          taken.push(body);
          answer.writeHead(message.method === 'PUT' ? 201 : 202, headers).end();
        }
      },
      () => {},
    );
  };
}

/** Copies the blob; returns what the target got, and the bodies that went through this thread. */
async function copied(options: { readonly uploadChunkSize?: number } = {}): Promise<{
  readonly taken: Buffer;
  readonly asked: readonly string[];
  readonly here: readonly string[];
  readonly progress: number | undefined;
}> {
  const [taken, asked, here]: [Buffer[], string[], string[]] = [[], [], []];
  const target = await serve(receiver(taken, asked));
  const copying = createRegistry({ retryDelayMs: 1, ...options });
  let progress: number | undefined;
  const started = (message: unknown): void => {
    const { request } = message as { request: ClientRequest };
    const length = Number(request.getHeader('content-length') ?? 0);
    if (length > 0 || (request.method === 'GET' && request.path.includes('/blobs/sha256:')))
      here.push(`${request.method} ${request.path}`);
  };
  subscribe('http.client.request.start', started);
  try {
    const source = { repository: { domain: served.host, path: 'team/app' }, credentials: undefined };
    const to = { domain: target.host, path: 'team/copy' };
    await copying.pushBlob(ctx, to, blob, source, undefined, undefined, (bytes) => (progress = bytes));
    return { taken: Buffer.concat(taken), asked, here, progress };
  } finally {
    unsubscribe('http.client.request.start', started);
    await copying.close();
    stop(target.server);
  }
}

const ranged: RequestListener = (message, answer) => {
  const [from = 0, last = data.length - 1] = (/(\d+)-(\d+)/.exec(message.headers.range ?? '') ?? [])
    .slice(1)
    .map(Number);
  const head =
    message.headers.range === undefined ? {} : { 'content-range': `bytes ${from}-${last}/${data.length}` };
  answer.writeHead(message.headers.range === undefined ? 200 : 206, head).end(data.subarray(from, last + 1));
};

test('a copy between registries passes this thread by, whole and in parts', async () => {
  const listener: RequestListener = (message, answer) => ranged(message, answer);
  const before = served.server.listeners('request');
  served.server.removeAllListeners('request').on('request', listener);
  try {
    const whole = await copied();
    assert.ok(whole.taken.equals(data));
    assert.deepEqual(whole.asked, ['HEAD', 'POST 0', `PUT ${data.length}`]);
    const parts = await copied({ uploadChunkSize: 2_000_000 });
    assert.ok(parts.taken.equals(data));
    assert.deepEqual(parts.asked, ['HEAD', 'POST 0', 'PATCH 0-1999999', 'PATCH 2000000-2999999', 'PUT 0']);
    assert.deepEqual([whole.here, parts.here], [[], []]);
    assert.deepEqual([whole.progress, parts.progress], [data.length, data.length]);
  } finally {
    served.server.removeAllListeners('request');
    for (const each of before) served.server.on('request', each as RequestListener);
  }
});

test('a copy from a registry without ranges goes in one request; from one that breaks off, is short or too long, once more or not at all', async () => {
  answerWith = (answer) => answer.end(data);
  const whole = await copied({ uploadChunkSize: 2_000_000 });
  assert.ok(whole.taken.equals(data));
  assert.deepEqual(whole.asked, ['HEAD', 'POST 0', `PUT ${data.length}`]);

  let answers = 0;
  answerWith = (answer) => {
    if (++answers > 1) answer.end(data);
    else
      answer
        .writeHead(200, { 'content-length': data.length })
        .write(data.subarray(0, 1_000_000), () => answer.destroy());
  };
  const again = await copied();
  assert.ok(again.taken.equals(data));
  assert.equal(answers, 2);

  answerWith = (answer) => answer.end(data.subarray(1));
  await assert.rejects(copied(), {
    kind: 'unavailable',
    message: /unexpected EOF: 2999999 of 3000000 bytes/,
  });
  answerWith = (answer) => answer.end(Buffer.concat([data, data]));
  await assert.rejects(copied(), { kind: 'invalid', message: /more than 3000000 bytes/ });
});
