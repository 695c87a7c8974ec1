/** Images of a given shape in a registry, written straight over its API: what they are pulled from must not be the engine under test. */

import { createHash, randomBytes, randomFillSync } from 'node:crypto';
import { createGzip } from 'node:zlib';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { encodeHeader, simpleHeader, tarEnd, tarPadding } from '../src/core/tar/index.ts';

export interface Shape {
  readonly repository: string;
  readonly layers: number;
  /** Bytes of each layer, uncompressed. */
  readonly layerSize: number;
  /** Bytes of each file. */
  readonly fileSize: number;
}

const digestOf = (data: Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;

/** Words of a small vocabulary: compresses about as program files do, to a little less than half. */
function content(size: number): Buffer {
  const words = Array.from({ length: 4096 }, () => randomBytes(3 + Math.floor(Math.random() * 9)));
  const parts: Buffer[] = [];
  const choice = new Uint16Array(Math.ceil(size / 5));
  randomFillSync(choice);
  let length = 0;
  for (let at = 0; length < size; at++) {
    const word = words[(choice[at % choice.length] ?? 0) & 4095] ?? Buffer.alloc(1);
    parts.push(word);
    length += word.length;
  }
  return Buffer.concat(parts).subarray(0, size);
}

function layerOf(shape: Shape, index: number): Buffer {
  const block = content(Math.min(shape.layerSize, 8 << 20));
  const parts: Buffer[] = [encodeHeader(simpleHeader(`layer${index}/`, { type: 'directory', mode: 0o755 }))];
  for (let done = 0, file = 0; done < shape.layerSize; file++) {
    const size = Math.min(shape.fileSize, shape.layerSize - done);
    const data = Buffer.alloc(size);
    for (let at = 0; at < size; at += block.length) block.copy(data, at, (file * 4099) % block.length);
    randomBytes(16).copy(data);
    parts.push(
      encodeHeader(simpleHeader(`layer${index}/file${file}`, { size, mode: 0o644 })),
      data,
      tarPadding(size),
    );
    done += size;
  }
  return Buffer.concat([...parts, tarEnd]);
}

async function upload(base: string, repository: string, data: Buffer): Promise<void> {
  const start = await fetch(`${base}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  await start.arrayBuffer();
  const location = new URL(start.headers.get('location') ?? '', base);
  location.searchParams.set('digest', digestOf(data));
  const put = await fetch(location, {
    method: 'PUT',
    body: new Uint8Array(data),
    headers: { 'content-type': 'application/octet-stream' },
  });
  await put.arrayBuffer();
  if (put.status !== 201) throw new Error(`upload: ${put.status}`);
}

/** Puts an image of that shape, tagged `latest`, into the registry. */
export async function writeImage(base: string, shape: Shape): Promise<void> {
  const layers: { mediaType: string; digest: string; size: number }[] = [];
  const diffIds: string[] = [];
  for (let index = 0; index < shape.layers; index++) {
    const plain = layerOf(shape, index);
    const packed = await buffer(Readable.from([plain], { objectMode: false }).pipe(createGzip({ level: 6 })));
    await upload(base, shape.repository, packed);
    diffIds.push(digestOf(plain));
    layers.push({
      mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      digest: digestOf(packed),
      size: packed.length,
    });
  }
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Cmd: ['/none'] },
      rootfs: { type: 'layers', diff_ids: diffIds },
      history: diffIds.map(() => ({ created: '2024-01-01T00:00:00Z', created_by: 'bench' })),
    }),
  );
  await upload(base, shape.repository, config);
  const mediaType = 'application/vnd.docker.distribution.manifest.v2+json';
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: {
      mediaType: 'application/vnd.docker.container.image.v1+json',
      digest: digestOf(config),
      size: config.length,
    },
    layers,
  };
  const put = await fetch(`${base}/v2/${shape.repository}/manifests/latest`, {
    method: 'PUT',
    headers: { 'content-type': mediaType },
    body: JSON.stringify(manifest),
  });
  if (put.status !== 201) throw new Error(`manifest: ${put.status} ${await put.text()}`);
}
