import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { decompressDetected, detectCompression } from './compression.ts';

const data = Buffer.concat([randomBytes(700_000), Buffer.alloc(2 << 20)]);
const pack: Record<string, (input: Buffer) => Buffer> = {
  none: (input) => input,
  gzip: (input) => Buffer.concat([gzipSync(input.subarray(0, 1000)), gzipSync(input.subarray(1000))]),
  zstd: (input) =>
    Buffer.concat([zstdCompressSync(input.subarray(0, 1000)), zstdCompressSync(input.subarray(1000))]),
  xz: (input) => execFileSync('xz', ['-0c'], { input, maxBuffer: 8 << 20 }),
  bzip2: (input) => execFileSync('bzip2', ['-1c'], { input, maxBuffer: 8 << 20 }),
};
const chunked = (input: Buffer, step: number): Readable =>
  Readable.from(
    Array.from({ length: Math.ceil(input.length / step) }, (_, i) =>
      input.subarray(i * step, i * step + step),
    ),
    { objectMode: false },
  );

for (const [name, compress] of Object.entries(pack)) {
  test(`${name}: known by its first bytes, read in chunks of any size`, async () => {
    const packed = compress(data);
    assert.equal(detectCompression(packed), name);
    assert.ok((await buffer(await decompressDetected(chunked(packed, 65536)))).equals(data));
    const small = compress(data.subarray(0, 2000));
    assert.ok((await buffer(await decompressDetected(chunked(small, 1)))).equals(data.subarray(0, 2000)));
    assert.ok(
      (await buffer(await decompressDetected(chunked(small, 1 << 20)))).equals(data.subarray(0, 2000)),
    );
  });
  if (name !== 'none')
    test(`${name}: a stream cut short is an error`, async () => {
      const packed = compress(data);
      await assert.rejects(
        async () => buffer(await decompressDetected(chunked(packed.subarray(0, -2000), 65536))),
        {
          kind: 'invalid',
        },
      );
    });
}

test('an empty stream and one of a few bytes are not compressed', async () => {
  assert.equal((await buffer(await decompressDetected(Readable.from([])))).length, 0);
  assert.equal((await buffer(await decompressDetected(Readable.from([Buffer.from('ab')])))).toString(), 'ab');
});
