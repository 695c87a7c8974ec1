import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { EventBus, type EngineEvent } from '../../src/core/events.ts';
import { forbidden, notFound } from '../../src/core/errors.ts';
import { LogBatch, type LogEntry } from '../../src/core/log-batch.ts';
import type { LogsInput, WaitResult } from '../../src/services/containers/index.ts';
import { collect, startServer } from './fakes/server.ts';

function entry(stream: 'stdout' | 'stderr', line: string, time: string): LogEntry {
  return { stream, line: Buffer.from(line), time };
}

const lines = [
  entry('stdout', 'one\n', '2026-01-02T03:04:05.12Z'),
  entry('stderr', 'two\n', '2026-01-02T03:04:06.123456789Z'),
];

function frame(stream: number, text: string): string {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return header.toString('latin1') + text;
}

test('logs are framed, with timestamps of nine digits, and the query decoded', async (t) => {
  const inputs: LogsInput[] = [];
  const server = await startServer(t, {
    containers: {
      logs: (_ctx, _ref, input) => {
        inputs.push(input);
        return Promise.resolve({
          tty: false,
          entries: Readable.from([LogBatch.of(lines)]) as AsyncIterable<LogBatch>,
        });
      },
    },
  });
  const query = 'stdout=1&stderr=1&timestamps=1&tail=5&since=1767323045.5&until=0&follow=1';
  const answer = await server.request('GET', `/v1.45/containers/c/logs?${query}`);
  assert.equal(answer.headers['content-type'], 'application/vnd.docker.multiplexed-stream');
  assert.equal(
    answer.text,
    frame(1, '2026-01-02T03:04:05.120000000Z one\n') + frame(2, '2026-01-02T03:04:06.123456789Z two\n'),
  );
  assert.deepEqual(inputs[0], {
    stdout: true,
    stderr: true,
    follow: true,
    tail: 5,
    sinceNano: 1_767_323_045_500_000_000n,
    untilNano: undefined,
  });
  const none = await server.request('GET', '/containers/c/logs');
  assert.deepEqual(
    [none.status, none.json],
    [400, { message: 'Bad parameters: you must choose at least one stream' }],
  );
});

test('a followed log ends with its reader', async (t) => {
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const server = await startServer(t, {
    containers: {
      logs: (ctx) => {
        ctx.signal.addEventListener('abort', () => resolve());
        async function* follow(): AsyncGenerator<LogBatch> {
          yield LogBatch.of(lines.slice(0, 1));
          await aborted;
        }
        return Promise.resolve({ tty: true, entries: follow() });
      },
    },
  });
  const client = server.connect();
  client.write('GET /containers/c/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n');
  await collect(client, (text) => text.includes('one\n'));
  client.destroy();
  await aborted;
});

test('wait answers its headers before the exit', async (t) => {
  const { promise, resolve } = Promise.withResolvers<WaitResult>();
  const server = await startServer(t, { containers: { wait: () => ({ result: promise }) } });
  const client = server.connect();
  client.write('POST /containers/c/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\n\r\n');
  const head = await collect(client, (text) => text.includes('\r\n\r\n'));
  assert.match(head.toString(), /^HTTP\/1\.1 200 OK/);
  const body = collect(client, (text) => text.includes('}'));
  resolve({ exitCode: 3 });
  assert.match((await body).toString(), /\{"StatusCode":3\}/);
  client.destroy();
  const bad = await server.request('POST', '/containers/c/wait?condition=constructor');
  assert.deepEqual([bad.status, bad.json], [400, { message: 'invalid condition: "constructor"' }]);
});

const event: EngineEvent = {
  type: 'container',
  action: 'start',
  actorId: 'abc',
  attributes: { image: 'busybox', name: 'web' },
  timeNano: 1_767_323_045_123_456_789n,
};

function eventServer(t: Parameters<typeof startServer>[0]): ReturnType<typeof startServer> {
  return startServer(t, {
    system: { events: () => Readable.from([event, event]) as AsyncIterable<EngineEvent> },
  });
}

test('events are lines of JSON with every digit of the time', async (t) => {
  const server = await eventServer(t);
  const answer = await server.request('GET', '/v1.41/events');
  assert.equal(answer.headers['content-type'], 'application/json');
  const line =
    '{"status":"start","id":"abc","from":"busybox","Type":"container","Action":"start","Actor":{"ID":"abc",' +
    '"Attributes":{"image":"busybox","name":"web"}},"scope":"local","time":1767323045,"timeNano":1767323045123456789}\n';
  assert.equal(answer.text, line + line);
  const fresh = await server.request('GET', '/v1.52/events');
  assert.equal(fresh.text.includes('"status"'), false);
});

test('events come as a JSON sequence on request', async (t) => {
  const server = await eventServer(t);
  const answer = await server.request('GET', '/events', { headers: { Accept: 'application/json-seq' } });
  assert.equal(answer.headers['content-type'], 'application/json-seq');
  const [before, ...values] = answer.text.split('\u001e');
  assert.equal(before, '');
  assert.deepEqual(
    values.map((value) => (JSON.parse(value) as { Action: string }).Action),
    ['start', 'start'],
  );
});

test('since after until is refused', async (t) => {
  const server = await eventServer(t);
  const answer = await server.request('GET', '/events?since=2&until=1');
  assert.deepEqual(answer.json, { message: '`since` time (2) cannot be after `until` time (1)' });
  const bad = await server.request('GET', '/events?since=x');
  assert.deepEqual(bad.json, { message: 'strconv.ParseInt: parsing "x": invalid syntax' });
});

test('a pull that fails at once is an error, one that fails later says so in its stream', async (t) => {
  const bus = new EventBus();
  bus.emit({ type: 'daemon', action: 'reload', actorId: '', attributes: {} });
  const server = await startServer(t, {
    images: {
      pull: async (_ctx, input, onProgress) => {
        if (input.reference === 'nope') throw notFound('pull access denied for nope');
        onProgress({ status: 'Pulling from library/x', id: 'latest' });
        throw forbidden('toomanyrequests');
      },
    },
  });
  const early = await server.request('POST', '/images/create?fromImage=nope&tag=latest');
  assert.deepEqual([early.status, early.json], [404, { message: 'pull access denied for nope' }]);
  const late = await server.request('POST', '/images/create?fromImage=x&tag=latest');
  assert.equal(late.status, 200);
  assert.equal(
    late.text,
    '{"status":"Pulling from library/x","id":"latest"}\r\n{"errorDetail":{"message":"toomanyrequests"},"error":"toomanyrequests"}\r\n',
  );
});

test('an upload that is refused early is answered, and its rest read', async (t) => {
  const server = await startServer(t, { images: { load: () => Promise.reject(notFound('no')) } });
  const client = server.connect();
  const rest = Buffer.alloc(1024 * 1024);
  client.write(`POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: ${rest.length + 3}\r\n\r\nabc`);
  const answer = await collect(client, (text) => text.includes('message'));
  assert.match(answer.toString(), /^HTTP\/1\.1 404 /);
  client.write(rest);
  client.write('GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n');
  const ping = await collect(client, (text) => text.includes('OK'));
  assert.match(ping.toString(), /^HTTP\/1\.1 200 OK/);
  client.destroy();
});

test('a service that destroys an upload still answers', async (t) => {
  const server = await startServer(t, {
    images: {
      load: async (_ctx, input) => {
        await once(input.source, 'data');
        input.source.destroy();
        throw notFound('not an archive');
      },
    },
  });
  const answer = await server.request('POST', '/images/load', { body: Buffer.alloc(3 * 1024 * 1024) });
  assert.deepEqual([answer.status, answer.json], [404, { message: 'not an archive' }]);
});

test('an upload that breaks off fails for its service', async (t) => {
  const { promise: failed, resolve } = Promise.withResolvers<Error>();
  const { promise: called, resolve: call } = Promise.withResolvers<void>();
  const server = await startServer(t, {
    images: {
      load: async (_ctx, input) => {
        call();
        input.source.on('error', resolve);
        input.source.resume();
        throw await failed;
      },
    },
  });
  const client = server.connect();
  client.write('POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc');
  await called;
  client.destroy();
  assert.equal((await failed).message, 'unexpected EOF');
});

test('a failing export cuts the connection instead of ending it well', async (t) => {
  const server = await startServer(t, {
    containers: {
      export: () =>
        Promise.resolve(
          new Readable({
            read() {
              this.push('some');
              this.destroy(new Error('disk gone'));
            },
          }),
        ),
    },
  });
  await assert.rejects(server.request('GET', '/containers/c/export'));
  assert.equal((await server.request('GET', '/_ping')).status, 200);
});

test('credentials of a pull arrive decoded', async (t) => {
  const seen: unknown[] = [];
  const server = await startServer(t, {
    images: {
      pull: (_ctx, input) => {
        seen.push(input);
        return Promise.resolve({} as never);
      },
    },
  });
  const auth = Buffer.from('{"username":"u","password":"p?>","serveraddress":"r"}').toString('base64url');
  await server.request('POST', '/images/create?fromImage=r/x&tag=1', {
    headers: { 'X-Registry-Auth': auth },
  });
  assert.deepEqual(seen, [
    { reference: 'r/x', tag: '1', credentials: { username: 'u', password: 'p?>' }, allTags: false },
  ]);
});
