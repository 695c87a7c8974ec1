/**
 * The daemon's peak resident size, and how quickly its API answers, while it pulls gigabytes: `bench/pull-memory.ts [--gigabytes=5]`.
 * The image is made while it is sent, of bytes that do not compress; unpacked and kept it takes twice its size on disk.
 * Needs root and a build.
 */

import { spawn } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { encodeHeader, simpleHeader, tarEnd } from '../src/core/tar/index.ts';
import { startEngine } from '../tests/scenarios/engine.ts';
import { judge, renderTable } from './bars.ts';
import { HttpClient } from './http.ts';
import { percentile, watchPings } from './pings.ts';

const gigabytes = Number(
  process.argv.find((argument) => argument.startsWith('--gigabytes='))?.slice('--gigabytes='.length) ?? 5,
);
const layerCount = 5;
const blockSize = 1 << 20;
/** A multiple of the block, so that the archive needs no padding. */
const fileSize = Math.floor((gigabytes * 1e9) / layerCount / blockSize) * blockSize;

const zeros = Buffer.alloc(blockSize);

/** Block `index` of a layer's file: the same bytes each time, and no two alike. */
function block(layer: number, index: number): Buffer {
  const iv = Buffer.alloc(16);
  iv.writeUInt32BE(layer, 0);
  iv.writeUInt32BE(index, 4);
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), iv).update(zeros);
}

const headOf = (layer: number): Buffer =>
  encodeHeader(simpleHeader(`layer${layer}`, { size: fileSize, mode: 0o644 }));
const layerSize = headOf(0).length + fileSize + tarEnd.length;

/** The archive's bytes from `from` up to `to`. */
function* bytesOf(layer: number, from: number, to: number): Generator<Buffer> {
  const head = headOf(layer);
  const parts = [
    { at: 0, length: head.length, make: (): Buffer => head },
    ...Array.from({ length: fileSize / blockSize }, (_none, index) => ({
      at: head.length + index * blockSize,
      length: blockSize,
      make: (): Buffer => block(layer, index),
    })),
    { at: head.length + fileSize, length: tarEnd.length, make: (): Buffer => tarEnd },
  ];
  for (const { at, length, make } of parts) {
    if (at + length <= from || at >= to) continue;
    yield make().subarray(Math.max(0, from - at), Math.min(length, to - at));
  }
}

function digestOf(chunks: Iterable<Buffer>): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

/** Until there is room, or nobody reads any more. */
async function drained(answer: ServerResponse): Promise<void> {
  const stop = new AbortController();
  const { signal } = stop;
  await Promise.race([once(answer, 'drain', { signal }), once(answer, 'close', { signal })]);
  stop.abort();
}

async function send(answer: ServerResponse, chunks: Iterable<Buffer>): Promise<void> {
  for (const chunk of chunks) {
    if (answer.destroyed) return;
    if (!answer.write(chunk)) await drained(answer);
  }
  answer.end();
}

const mediaType = 'application/vnd.oci.image.manifest.v1+json';

async function serve(): Promise<{ readonly host: string; readonly close: () => void }> {
  const digests = Array.from({ length: layerCount }, (_none, layer) =>
    digestOf(bytesOf(layer, 0, layerSize)),
  );
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: digests } }),
  );
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: digestOf([config]),
      size: config.length,
    },
    layers: digests.map((digest) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest,
      size: layerSize,
    })),
  });
  const server = createServer((message, answer) => {
    const name = (message.url ?? '').split('/').at(-1) ?? '';
    const layer = digests.indexOf(name);
    if (message.url?.includes('/manifests/') === true)
      answer.writeHead(200, { 'content-type': mediaType }).end(manifest);
    else if (layer < 0) answer.end(name === digestOf([config]) ? config : '{}');
    else {
      const [from = 0, last = layerSize - 1] = (/(\d+)-(\d+)/.exec(message.headers.range ?? '') ?? [])
        .slice(1)
        .map(Number);
      const range =
        message.headers.range === undefined ? {} : { 'content-range': `bytes ${from}-${last}/${layerSize}` };
      answer.writeHead(message.headers.range === undefined ? 200 : 206, {
        ...range,
        'content-length': last + 1 - from,
      });
      void send(answer, bytesOf(layer, from, last + 1));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

const peakMb = (pid: number): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1024;

/** In a process of its own: making the bytes must not hold up the pings. */
async function startSource(): Promise<{ readonly host: string; readonly close: () => void }> {
  const child = spawn(process.execPath, [import.meta.filename, ...process.argv.slice(2), '--serve'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { host: line.toString().trim(), close: () => void child.kill('SIGKILL') };
}

async function measure(): Promise<void> {
  const source = await startSource();
  const engine = await startEngine();
  try {
    const http = new HttpClient(engine.socket);
    const before = watchPings(engine.socket);
    await delay(3000);
    const idle = await before.stop();
    const pings = watchPings(engine.socket);
    const start = performance.now();
    const image = encodeURIComponent(`${source.host}/bench/memory`);
    const { body } = await http.request('POST', `/v1.41/images/create?fromImage=${image}&tag=latest`);
    if (body.includes('"error"')) throw new Error(body.slice(-500));
    const seconds = (performance.now() - start) / 1000;
    const times = await pings.stop();
    http.close();
    const what = `pull of ${gigabytes} GB (${seconds.toFixed(0)} s)`;
    const rows = [
      { what: `${what}: peak of the daemon`, unit: 'MB', slipway: peakMb(engine.pid()), bar: 200 },
      { what: '_ping before, 99th percentile', unit: 'ms', slipway: percentile(idle, 99), bar: 20 },
      { what: '_ping meanwhile, 99th percentile', unit: 'ms', slipway: percentile(times, 99), bar: 20 },
    ] as const;
    const verdicts = rows.map(({ bar, ...row }) =>
      judge({ ...row, dockerd: undefined, bar: { of: 'value', most: bar } }),
    );
    process.stdout.write(`${renderTable(verdicts)}\n`);
  } finally {
    source.close();
    await engine.close();
  }
}

if (process.argv.includes('--serve')) process.stdout.write(`${(await serve()).host}\n`);
else await measure();
