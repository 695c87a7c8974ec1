import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { notFound } from '../../src/core/errors.ts';
import type { ExecStartResult } from '../../src/services/containers/index.ts';
import { catAttachment, sessionOf, type CatAttachment } from './fakes/attachment.ts';
import { collect, startServer, type TestServer } from './fakes/server.ts';

interface CatServer extends TestServer {
  readonly cat: CatAttachment;
}

async function startCat(
  context: TestContext,
  tty: boolean,
  options: Parameters<typeof startServer>[2] = {},
): Promise<CatServer> {
  const cat = catAttachment();
  const services = {
    containers: {
      attach: () => Promise.resolve(sessionOf(cat, tty)),
      execInspect: () => Promise.resolve({ detachKeys: '' } as never),
      execStart: () =>
        Promise.resolve({ tty, attachment: cat, exit: Promise.resolve({ exitCode: 0 }) } as ExecStartResult),
    },
  };
  return { ...(await startServer(context, services, options)), cat };
}

const upgradeHeaders = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';
const attachLine =
  'POST /v1.45/containers/c/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: x\r\n';

/** Head and body of everything that came. */
function split(data: Buffer): { head: string; body: Buffer } {
  const end = data.indexOf('\r\n\r\n') + 4;
  return { head: data.toString('latin1', 0, end), body: data.subarray(end) };
}

function frame(stream: number, text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

/** Sends, ends its own side, and reads what comes until the server ends. */
async function exchange(
  client: Socket,
  ...parts: (string | Buffer)[]
): Promise<{ head: string; body: Buffer }> {
  const all = collect(client);
  for (const part of parts) client.write(part);
  client.end();
  return split(await all);
}

for (const [how, headers] of [
  ['with an Upgrade header', upgradeHeaders],
  ['plain', ''],
] as const) {
  const first = headers === '' ? /^HTTP\/1\.1 200 OK\r\n/ : /^HTTP\/1\.1 101 UPGRADED\r\n/;

  test(`attach ${how}: stdin in the packet of the request arrives, and output follows its end`, async (t) => {
    const server = await startCat(t, true);
    const { head, body } = await exchange(server.connect(), `${attachLine}${headers}\r\nfirst bytes`);
    assert.match(head, first);
    assert.match(head, /application\/vnd\.docker\.raw-stream/);
    assert.equal(body.toString(), 'first bytesend of input');
  });

  test(`attach ${how}: without a terminal both streams are framed`, async (t) => {
    const server = await startCat(t, false);
    const { head, body } = await exchange(
      server.connect(),
      `${attachLine}${headers}Content-Length: 0\r\n\r\nin`,
    );
    assert.match(head, first);
    assert.match(head, /application\/vnd\.docker\.multiplexed-stream/);
    assert.deepEqual(body, Buffer.concat([frame(1, 'in'), frame(2, 'end of input')]));
  });

  test(`exec ${how}: body and stdin in one packet`, async (t) => {
    const server = await startCat(t, true);
    const json = '{"Detach":false,"Tty":true}';
    const request = `POST /exec/e/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n${headers}\r\n`;
    const { head, body } = await exchange(server.connect(), `${request}${json}typed`);
    assert.match(head, first);
    assert.equal(body.toString(), 'typedend of input');
  });

  test(`exec ${how}: head, body and stdin byte by byte`, async (t) => {
    const server = await startCat(t, true);
    const json = '{"Detach":false,"Tty":true}';
    const request = `POST /exec/e/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n${headers}\r\n${json}typed`;
    const client = server.connect();
    const all = collect(client);
    for (const byte of Buffer.from(request)) {
      client.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    client.end();
    assert.equal(split(await all).body.toString(), 'typedend of input');
  });
}

test('a body of an attach is no stdin', async (t) => {
  for (const headers of [upgradeHeaders, '']) {
    const server = await startCat(t, true);
    const request = `${attachLine}${headers}Content-Type: application/json\r\nContent-Length: 15\r\n\r\n{"stream":true}`;
    const { body } = await exchange(server.connect(), `${request}typed`);
    assert.equal(body.toString(), 'typedend of input');
  }
});

test('a plain attach on a connection that served another request first', async (t) => {
  const server = await startCat(t, true);
  const client = server.connect();
  client.write('GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n');
  await collect(client, (text) => text.endsWith('OK'));
  client.write(`${attachLine}\r\n`);
  await collect(client, (text) => text.includes('raw-stream\r\n\r\n'));
  const rest = collect(client);
  client.end('later');
  assert.equal((await rest).toString(), 'laterend of input');
});

test('a client that leaves is detached, and the process is not', async (t) => {
  const server = await startCat(t, true);
  const client = server.connect();
  client.write(`${attachLine}${upgradeHeaders}\r\n`);
  await collect(client, (text) => text.includes('\r\n\r\n'));
  client.destroy();
  // A unix socket closed and one half-closed look alike until the next output.
  await once(server.cat.stdin, 'end');
  const fresh = new PassThrough();
  fresh.pipe(server.cat.stdout);
  fresh.write('x'.repeat(100));
  await server.cat.detached;
});

test('the detach keys end the attachment and nothing else', async (t) => {
  const server = await startCat(t, true);
  const client = server.connect();
  const all = collect(client);
  client.write(`${attachLine}${upgradeHeaders}\r\nab\u0010`);
  client.write('c\u0010\u0011');
  await server.cat.detached;
  await all;
  client.end();
  await once(client, 'close');
  assert.equal(server.cat.stdin.writableEnded, false, 'stdin stays open');
});

test('own detach keys, and unknown ones refused', async (t) => {
  const server = await startCat(t, true);
  const client = server.connect();
  client.write(
    `${attachLine.replace('stream=1', 'stream=1&detachKeys=ctrl-a,x')}${upgradeHeaders}\r\n\u0001x`,
  );
  await server.cat.detached;
  client.destroy();
  const bad = await server.request('POST', '/containers/c/attach?detachKeys=ctrl-1');
  assert.equal(bad.status, 400);
});

test('a slow client makes the output wait, and gets every byte', async (t) => {
  const server = await startCat(t, true);
  const client = server.connect();
  client.write(`${attachLine}${upgradeHeaders}\r\n`);
  await collect(client, (text) => text.includes('\r\n\r\n'));
  client.pause();
  const piece = Buffer.alloc(65536, 'y');
  const pieces = 400;
  for (let count = 0; count < pieces; count++) server.cat.stdin.write(piece);
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  assert.ok(server.cat.stdin.writableLength > (pieces / 2) * piece.length, 'the source waits');
  let seen = 0;
  client.on('data', (chunk: Buffer) => (seen += chunk.length));
  client.resume();
  client.end();
  await once(client, 'end');
  assert.equal(seen, pieces * piece.length + 'end of input'.length);
});

test('an exec that cannot start tells why in the stream', async (t) => {
  const server = await startServer(t, {
    containers: {
      execInspect: () => Promise.resolve({ detachKeys: '' } as never),
      execStart: () => Promise.reject(notFound('exec: "nope": executable file not found in $PATH')),
    },
  });
  const json = '{}';
  const { head, body } = await exchange(
    server.connect(),
    `POST /exec/e/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n${upgradeHeaders}\r\n${json}`,
  );
  assert.match(head, /^HTTP\/1\.1 101 /);
  assert.deepEqual(body, frame(1, 'exec: "nope": executable file not found in $PATH\r\n'));
});

test('errors before the takeover are ordinary answers, with and without Upgrade', async (t) => {
  const server = await startServer(t, {
    containers: {
      attach: (_ctx, ref) => Promise.reject(notFound(`No such container: ${ref}`)),
      execInspect: (_ctx, id) => Promise.reject(notFound(`No such exec instance: ${id}`)),
    },
  });
  for (const headers of [upgradeHeaders, '']) {
    const { head, body } = await exchange(server.connect(), `${attachLine}${headers}\r\n`);
    assert.match(head, /^HTTP\/1\.1 404 /);
    assert.equal(body.toString(), '{"message":"No such container: c"}\n');
    const exec = await exchange(
      server.connect(),
      `POST /exec/e/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n${headers}\r\n{}`,
    );
    assert.match(exec.head, /^HTTP\/1\.1 404 /);
  }
});

test('a detached exec start answers 200 without a body', async (t) => {
  const server = await startServer(t, {
    containers: {
      execInspect: () => Promise.resolve({ detachKeys: '' } as never),
      execStart: () =>
        Promise.resolve({ tty: false, attachment: undefined, exit: Promise.resolve({ exitCode: 0 }) }),
    },
  });
  const answer = await server.request('POST', '/exec/e/start', { body: '{"Detach":true}' });
  assert.deepEqual([answer.status, answer.text], [200, '']);
});

for (const path of ['containers/c/attach?stream=1&stdin=1&stdout=1&stderr=1', 'exec/e/start']) {
  test(`${path}: no output comes before the client has read the head, as it would in one read with it`, async (t) => {
    const events: string[] = [];
    const rounds = 5;
    const unreadOutput = (): number => {
      events.push('asked');
      return events.length < rounds ? 700 : 0;
    };
    const server = await startCat(t, true, { unreadOutput });
    const client = server.connect();
    client.on('data', (data: Buffer) => {
      if (data.includes('early words')) events.push('output');
    });
    const head = `POST /v1.45/${path} HTTP/1.1\r\nHost: x\r\n${upgradeHeaders}`;
    const { body } = await exchange(
      client,
      `${head}Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{"Tty": true}`,
      'early words',
    );
    assert.equal(body.toString(), 'early wordsend of input');
    assert.deepEqual(events, [...Array.from({ length: rounds }, () => 'asked'), 'output']);
  });
}
