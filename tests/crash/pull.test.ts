// timeout: 300
/** The daemon is killed in the middle of a pull: nothing of the image is listed, and the next pull fetches only what is missing. */

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { tarOf } from '../images/engine.ts';
import { eventually, startEngine, type Engine } from '../scenarios/engine.ts';

const sha = (data: Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;

/** A registry in memory with one image, whose layers it can hold back. */
interface Source {
  readonly host: string;
  readonly server: Server;
  /** Bytes of layers that went out, and the ranges that were asked for. */
  sent: number;
  readonly ranges: string[];
  /** Sends no more than this of each answer's body. */
  most: number;
}

const layers = [20, 40].map((megabytes, at) =>
  tarOf([{ name: `file${at}`, text: randomBytes(megabytes << 20).toString('latin1') }]),
);

async function startSource(): Promise<Source> {
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: layers.map(sha) },
    }),
  );
  const descriptor = (data: Buffer, mediaType: string): object => ({
    mediaType,
    digest: sha(data),
    size: data.length,
  });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
      layers: layers.map((layer) => descriptor(layer, 'application/vnd.oci.image.layer.v1.tar')),
    }),
  );
  const blobs = new Map([config, ...layers].map((data) => [sha(data), data]));
  const sendBlob = (data: Buffer, range: string | undefined, answer: ServerResponse): void => {
    const [from = 0, to = data.length - 1] = (/(\d+)-(\d+)/.exec(range ?? '') ?? []).slice(1).map(Number);
    const body = data.subarray(from, to + 1);
    const headers = { 'content-length': body.length, 'content-range': `bytes ${from}-${to}/${data.length}` };
    answer.writeHead(range === undefined ? 200 : 206, headers);
    const part = data === config ? body : body.subarray(0, source.most);
    if (data !== config) {
      source.ranges.push(range ?? 'all');
      source.sent += part.length;
    }
    answer.write(part);
    if (part.length === body.length) answer.end();
  };
  const server = createServer((message, answer) => {
    const name = (message.url ?? '').split('/').at(-1) ?? '';
    const blob = blobs.get(name);
    if (message.url === '/v2/') answer.end('{}');
    else if (message.url?.includes('/manifests/') === true)
      answer.writeHead(200, { 'content-type': mediaType }).end(manifest);
    else if (blob === undefined) answer.writeHead(404).end();
    else sendBlob(blob, message.headers.range, answer);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const source: Source = { host, server, sent: 0, ranges: [], most: Number.POSITIVE_INFINITY };
  return source;
}

let source: Source;
let engine: Engine;
before(async () => {
  source = await startSource();
  engine = await startEngine();
});
after(async () => {
  source.server.closeAllConnections();
  source.server.close();
  await engine.close();
});

const total = layers.reduce((sum, layer) => sum + layer.length, 0);

test('killed in the middle: nothing is listed, the rest is fetched, and it works', async () => {
  const image = `${source.host}/team/app:v1`;
  const before = await engine.ok('slipway', ['images', '-aq']);
  // The small layer comes whole; of each range of the large one 8 MiB and some more.
  source.most = 21 << 20;
  const pull = engine.background('slipway', ['pull', image]);
  const partial = join(engine.folder, 'data/content/partial');
  await eventually('two pieces of the large layer are there', async () => {
    const lists = readdirSync(partial).filter((name) => name.endsWith('.pieces'));
    return source.ranges.length >= 2 && lists.length > 0 && source.sent > 35 << 20 ? true : undefined;
  });
  await eventually('the small layer is whole', async () => {
    const blobs = readdirSync(join(engine.folder, 'data/content/blobs/sha256'));
    return blobs.includes(sha(layers[0] ?? Buffer.alloc(0)).slice(7)) ? true : undefined;
  });
  await engine.kill();
  pull.kill('SIGKILL');
  source.server.closeAllConnections();
  const first = source.sent;
  await engine.start();
  assert.equal(await engine.ok('slipway', ['images', '-aq']), before);
  assert.deepEqual(readdirSync(join(engine.folder, 'data/overlay2/staging')), []);
  source.most = Number.POSITIVE_INFINITY;
  source.sent = 0;
  source.ranges.length = 0;
  await engine.ok('slipway', ['pull', image]);
  assert.ok(
    source.sent <= total - (20 << 20),
    `${source.sent} of ${total} bytes were sent again, after ${first}`,
  );
  assert.ok(!source.ranges.includes('all'), source.ranges.join());
  assert.deepEqual(readdirSync(partial), []);
  const size = await engine.ok('slipway', ['history', '--human=false', '--format', '{{.Size}}', image]);
  assert.ok(size.split('\n').length >= 1);
  await engine.ok('slipway', ['rmi', image]);
});

test('Ctrl-C: the pull ends, and nothing of it stays', async () => {
  const image = `${source.host}/team/other:v1`;
  source.most = 9 << 20;
  source.ranges.length = 0;
  const pull = engine.background('slipway', ['pull', image]);
  await eventually('layers come in', async () => (source.ranges.length >= 2 ? true : undefined));
  pull.kill('SIGINT');
  await once(pull, 'exit');
  await eventually('all of it is gone', async () =>
    readdirSync(join(engine.folder, 'data/content/partial')).length === 0 &&
    readdirSync(join(engine.folder, 'data/overlay2/staging')).length === 0
      ? true
      : undefined,
  );
});
