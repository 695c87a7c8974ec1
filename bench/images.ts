/** Images for the benchmarks, made once, and what is measured with them: load and list. Times in milliseconds. */

import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { encodeHeader, simpleHeader, tarEnd, tarPadding } from '../src/core/tar/index.ts';
import type { Engine } from './engines.ts';

const api = '/v1.41';

export interface ImageShape {
  readonly name: string;
  readonly layers: number;
  /** Bytes of each layer. */
  readonly layerBytes: number;
  /** Bytes of each file in it. */
  readonly fileBytes: number;
}

/** Bytes that look like programs and texts: half of them random, half of them repeated. Always the same for a seed. */
function* contents(seed: string, total: number, fileBytes: number): Generator<Buffer> {
  let block = createHash('sha512').update(seed).digest();
  for (let done = 0; done < total; done += fileBytes) {
    const data = Buffer.alloc(fileBytes, block.toString('hex').repeat(4));
    for (let at = 0; at + 128 <= fileBytes; at += 128) {
      if (at % 4096 === 0) block = createHash('sha512').update(block).digest();
      block.copy(data, at);
      data.writeUInt32LE(at, at);
    }
    yield data;
  }
}

function* layerParts(shape: ImageShape, index: number): Generator<Buffer> {
  const folder = `layer${index}`;
  yield encodeHeader(simpleHeader(`${folder}/`, { type: 'directory' }));
  let file = 0;
  for (const data of contents(`${shape.name}-${index}`, shape.layerBytes, shape.fileBytes)) {
    if (file % 100 === 0) yield encodeHeader(simpleHeader(`${folder}/${file}/`, { type: 'directory' }));
    const name = `${folder}/${Math.floor(file / 100) * 100}/f${file++}`;
    yield encodeHeader(simpleHeader(name, { size: data.length }));
    yield data;
    yield tarPadding(data.length);
  }
  yield tarEnd;
}

/** Collects small writes. */
class Writer {
  readonly #file: FileHandle;
  #parts: Buffer[] = [];
  #length = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async write(data: Buffer): Promise<void> {
    this.#parts.push(data);
    this.#length += data.length;
    if (this.#length > 4 << 20) await this.flush();
  }

  async flush(): Promise<void> {
    await this.#file.writev(this.#parts);
    this.#parts = [];
    this.#length = 0;
  }
}

/** A docker-archive as `docker save` of dockerd 20.10 writes it: uncompressed layers, `manifest.json`. */
export async function makeImage(path: string, shape: ImageShape): Promise<void> {
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true });
  const file = await open(`${path}.new`, 'w');
  const out = new Writer(file);
  const put = async (name: string, data: Buffer): Promise<void> => {
    await out.write(encodeHeader(simpleHeader(name, { size: data.length })));
    await out.write(data);
    await out.write(tarPadding(data.length));
  };
  const diffIds: string[] = [];
  for (let index = 0; index < shape.layers; index++) {
    const hash = createHash('sha256');
    let size = 0;
    for (const part of layerParts(shape, index)) {
      hash.update(part);
      size += part.length;
    }
    diffIds.push(`sha256:${hash.digest('hex')}`);
    await out.write(encodeHeader(simpleHeader(`${index}/layer.tar`, { size })));
    for (const part of layerParts(shape, index)) await out.write(part);
    await out.write(tarPadding(size));
  }
  const config = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: diffIds } };
  await put('config.json', Buffer.from(JSON.stringify(config)));
  const Layers = diffIds.map((_, index) => `${index}/layer.tar`);
  const manifest = [{ Config: 'config.json', RepoTags: [`${shape.name}:latest`], Layers }];
  await put('manifest.json', Buffer.from(JSON.stringify(manifest)));
  await out.write(tarEnd);
  await out.flush();
  await file.close();
  renameSync(`${path}.new`, path);
}

const socketOf = (engine: Engine): string => (engine.cli.at(-1) ?? '').replace('unix://', '');

/** Sends an archive, and waits until the engine has the image. */
async function load(engine: Engine, path: string): Promise<number> {
  const start = performance.now();
  await new Promise<void>((resolve, reject) => {
    const client = request(
      {
        socketPath: socketOf(engine),
        method: 'POST',
        path: `${api}/images/load?quiet=1`,
        headers: { 'Content-Type': 'application/x-tar', 'Content-Length': statSync(path).size },
      },
      (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
        answer.on('end', () => {
          if (answer.statusCode === 200 && !text.includes('errorDetail')) resolve();
          else reject(new Error(`load: ${answer.statusCode ?? 0} ${text}`));
        });
      },
    );
    client.on('error', reject);
    pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), client).catch(reject);
  });
  return performance.now() - start;
}

/** Loads the image `rounds` times, each time from nothing. */
export async function loadImage(
  engine: Engine,
  path: string,
  shape: ImageShape,
  rounds: number,
): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    times.push(await load(engine, path));
    await engine.http.request('DELETE', `${api}/images/${shape.name}:latest?force=1`);
  }
  return times;
}

/** Loads an image and asks `/_ping` meanwhile, every 5 ms: the slowest answer but one in a hundred. */
export async function pingWhileLoading(engine: Engine, path: string, shape: ImageShape): Promise<number> {
  const client = engine.newClient();
  const times: number[] = [];
  const over = new AbortController();
  const ping = (async (): Promise<void> => {
    while (!over.signal.aborted) {
      const start = performance.now();
      await client.request('GET', '/_ping');
      times.push(performance.now() - start);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  await loadImage(engine, path, shape, 1);
  over.abort();
  await ping;
  client.close();
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN;
}

/** Makes images from one another until there are `count`; the returned function removes them. */
export async function manyImages(engine: Engine, count: number): Promise<() => Promise<void>> {
  for (let index = 0; index < count; index++) {
    const archive = Buffer.concat([
      encodeHeader(simpleHeader('f', { size: 4 })),
      Buffer.from(String(index).padStart(4, '0')),
      tarPadding(4),
      tarEnd,
    ]);
    const path = `${api}/images/create?fromSrc=-&repo=many${index}&tag=v1`;
    await engine.http.request('POST', path, archive, 'application/x-tar');
  }
  return async () => {
    for (let index = 0; index < count; index++)
      await engine.http.request('DELETE', `${api}/images/many${index}:v1`);
  };
}

export async function listImages(engine: Engine, rounds: number): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await engine.http.request('GET', `${api}/images/json`);
    times.push(performance.now() - start);
  }
  return times;
}
