/** What every content store must do. */

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { backgroundCtx } from '../../src/core/ctx.ts';
import type { BlobStore } from '../../src/core/ports/blob-store.ts';

const ctx = backgroundCtx();
const sha = (data: Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;
const stream = (...chunks: Buffer[]): Readable => Readable.from(chunks, { objectMode: false });

export function blobStoreContract(
  name: string,
  open: () => Promise<{ store: BlobStore; close: () => Promise<void> }>,
): void {
  const it = (what: string, body: (store: BlobStore) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const { store, close } = await open();
      try {
        await body(store);
      } finally {
        await close();
      }
    });
  };

  it('gives back what came in, whole and from an offset', async (store) => {
    const data = randomBytes(300_000);
    const info = await store.ingest(ctx, stream(data.subarray(0, 1000), data.subarray(1000)), {});
    assert.deepEqual(info, { digest: sha(data), size: data.length });
    assert.deepEqual(await store.has(info.digest), info);
    assert.ok((await buffer(await store.read(info.digest))).equals(data));
    assert.ok((await buffer(await store.read(info.digest, 299_990))).equals(data.subarray(299_990)));
    assert.ok((await store.readAll(info.digest, 300_000)).equals(data));
    await assert.rejects(store.readAll(info.digest, 299_999), { kind: 'invalid' });
    assert.deepEqual(await store.list(), [info]);
  });

  it('takes an empty blob', async (store) => {
    const info = await store.ingest(ctx, stream(), { size: 0 });
    assert.deepEqual(info, { digest: sha(Buffer.alloc(0)), size: 0 });
    assert.equal((await store.readAll(info.digest, 10)).length, 0);
  });

  it('refuses what is not as expected, and leaves nothing', async (store) => {
    const data = Buffer.from('abc');
    const digest = sha(Buffer.from('other'));
    await assert.rejects(store.ingest(ctx, stream(data), { digest }), { kind: 'invalid' });
    await assert.rejects(store.ingest(ctx, stream(data), { digest: sha(data), size: 4 }), {
      kind: 'invalid',
    });
    await assert.rejects(store.ingest(ctx, stream(data), { digest: 'sha256:../../etc/passwd' }), {
      kind: 'invalid',
    });
    assert.deepEqual(await store.list(), []);
    assert.equal(await store.has(digest), undefined);
  });

  it('passes on the error of a source that breaks, and leaves nothing', async (store) => {
    const source = Readable.from(
      (async function* () {
        yield Buffer.alloc(100_000);
        await Promise.resolve();
        throw new Error('the line broke');
      })(),
      { objectMode: false },
    );
    await assert.rejects(store.ingest(ctx, source, {}), /the line broke/);
    assert.deepEqual(await store.list(), []);
  });

  it('ends when it is cancelled, and leaves nothing', async (store) => {
    const stop = new AbortController();
    const source = new Readable({ read: () => {} });
    source.push(Buffer.alloc(1000));
    const coming = store.ingest({ ...ctx, signal: stop.signal }, source, {});
    stop.abort();
    await assert.rejects(coming);
    assert.deepEqual(await store.list(), []);
  });

  it('stores the same digest once, also when it comes in twice at a time', async (store) => {
    const data = randomBytes(100_000);
    const digest = sha(data);
    const results = await Promise.all([1, 2, 3].map(() => store.ingest(ctx, stream(data), { digest })));
    for (const info of results) assert.deepEqual(info, { digest, size: data.length });
    await store.ingest(ctx, stream(data), { digest });
    await store.ingest(ctx, stream(data), {});
    assert.equal((await store.list()).length, 1);
  });

  it('removes, also what is gone, and says what it lacks', async (store) => {
    const { digest } = await store.ingest(ctx, stream(Buffer.from('x')), {});
    await store.remove(digest);
    await store.remove(digest);
    assert.equal(await store.has(digest), undefined);
    await assert.rejects(store.read(digest), { kind: 'notFound' });
    await assert.rejects(store.readAll(digest, 1), { kind: 'notFound' });
  });
}
