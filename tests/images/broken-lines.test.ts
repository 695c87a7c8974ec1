// timeout: 300
/** Push and copy through a line that breaks, or a registry that refuses, at each request in turn: they get through or say why, and the next try works. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createRegistry, type RegistryClient } from '../../src/registry/index.ts';
import { startRegistry, type TestRegistry } from '../helpers/images/registry.ts';
import { ctx, openEngine, stateOf, tarOf, type Engine } from './engine.ts';

const none = (): void => {};

/** What happens to a request; undefined: it goes through. */
const troubles: Record<string, (message: IncomingMessage, answer: ServerResponse) => void> = {
  'the connection breaks': (message) => void message.socket.destroy(),
  'the answer is cut': (message, answer) => {
    message.resume();
    answer.writeHead(200, { 'content-length': '1000' });
    answer.write('{', () => message.socket.destroy());
  },
  '500': (message, answer) => {
    message.resume();
    answer.writeHead(500).end('trouble');
  },
  '429': (message, answer) => {
    message.resume();
    answer.writeHead(429).end('{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}');
  },
  '401': (message, answer) => {
    message.resume();
    answer.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
  },
};

interface Line {
  requests: number;
  /** The first request that meets trouble, and the last. */
  from: number;
  to: number;
  trouble: (message: IncomingMessage, answer: ServerResponse) => void;
}

let folder: string;
let registry: TestRegistry;
let proxy: Server;
let host: string;
let client: RegistryClient;
let engine: Engine;
const line: Line = { requests: 0, from: 0, to: 0, trouble: none };

/** Names in the registry's own addresses are the proxy's, since it sees the proxy's Host. */
function forward(message: IncomingMessage, answer: ServerResponse): void {
  const [address = '', port] = registry.host.split(':');
  const { method, url, headers } = message;
  const out = request({ host: address, port, method, path: url, headers }, (from) => {
    answer.writeHead(from.statusCode ?? 500, from.headers);
    from.pipe(answer);
  });
  out.on('error', () => answer.destroy());
  message.on('error', () => out.destroy());
  message.pipe(out);
}

before(async () => {
  folder = mkdtempSync('/tmp/slip-line-');
  registry = await startRegistry({ folder: join(folder, 'registry') });
  proxy = createServer((message, answer) => {
    const number = ++line.requests;
    if (number >= line.from && number <= line.to) line.trouble(message, answer);
    else forward(message, answer);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  client = createRegistry({ retryDelayMs: 1 });
  engine = await openEngine({ registry: client });
  for (const name of ['one', 'two']) {
    const source = Readable.from([tarOf([{ name, text: name.repeat(50_000) }])], { objectMode: false });
    await engine.images.import(ctx, { source, repository: name }, none);
  }
});
after(async () => {
  await engine.close();
  await client.close();
  proxy.closeAllConnections();
  proxy.close();
  await registry.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** What images left, without the time at which one got its name. */
async function onDisk(): Promise<unknown> {
  const state = (await stateOf(engine)) as Record<string, unknown>;
  return { ...state, records: (await engine.images.list({ all: true })).length };
}

/** Does it with trouble at each request in turn; `isThere` tells whether all of it is in the registry. */
async function throughTrouble(
  act: (path: string) => Promise<unknown>,
  lasting: boolean,
  trouble: Line['trouble'],
  name: string,
): Promise<{ failed: number; tries: number }> {
  let failed = 0;
  for (let k = 1; ; k++) {
    const path = `${name}/try${k}`;
    Object.assign(line, { requests: 0, from: k, to: lasting ? Infinity : k, trouble });
    const outcome = await act(path).then(
      () => undefined,
      (error: unknown) => error as Error,
    );
    const wasMet = line.requests >= k;
    Object.assign(line, { from: 0, to: 0 });
    const digest = await client.manifestDigest(ctx, { domain: host, path }, 'v1', undefined);
    if (outcome === undefined) assert.ok(digest !== undefined, `${name} ${k}: told to be there`);
    else {
      failed++;
      assert.notEqual(outcome.message, '');
      await act(path);
      assert.ok((await client.manifestDigest(ctx, { domain: host, path }, 'v1', undefined)) !== undefined);
    }
    if (!wasMet) return { failed, tries: k };
  }
}

for (const [what, trouble] of Object.entries(troubles))
  for (const lasting of [false, true]) {
    const name = `t${Object.keys(troubles).indexOf(what)}${lasting ? 'l' : 'o'}`;
    test(`push and copy: ${what}${lasting ? ', and from then on' : ''}`, async () => {
      Object.assign(line, { from: 0, to: 0 });
      await engine.images.tag(ctx, 'one', { repository: `${host}/${name}/source`, tag: 'v1' });
      await engine.images.push(ctx, { reference: `${host}/${name}/source:v1` }, none);
      const push = async (path: string): Promise<void> => {
        await engine.images.tag(ctx, 'two', { repository: `${host}/${path}`, tag: 'v1' });
        try {
          await engine.images.push(ctx, { reference: `${host}/${path}:v1` }, none);
        } finally {
          await engine.images.remove(ctx, `${host}/${path}:v1`, {});
        }
      };
      await push(`${name}/first`);
      const before = await onDisk();
      const copy = (path: string): Promise<string> =>
        engine.images.copy(ctx, { from: `${host}/${name}/source:v1`, to: `${host}/${path}:v1` }, none);
      const pushed = await throughTrouble(push, lasting, trouble, `${name}/push`);
      const copied = await throughTrouble(copy, lasting, trouble, `${name}/copy`);
      assert.ok(pushed.tries > 3 && copied.tries > 3);
      // Broken once, a line is no reason to fail.
      if (!lasting && (what === '500' || what === 'the connection breaks'))
        assert.deepEqual([pushed.failed, copied.failed], [0, 0]);
      if (lasting) assert.ok(pushed.failed > 2 && copied.failed > 2);
      assert.deepEqual(await onDisk(), before);
    });
  }
