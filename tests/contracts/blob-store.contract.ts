/** What every content store must do. */

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { open as openFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { backgroundCtx } from '../../src/core/ctx.ts';
import type { BlobStore, PartialBlob } from '../../src/core/ports/blob-store.ts';

const ctx = backgroundCtx();
const sha = (data: Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;
const stream = (...chunks: Buffer[]): Readable => Readable.from(chunks, { objectMode: false });

async function write(partial: PartialBlob, at: number, data: Buffer): Promise<void> {
  const file = await openFile(partial.path, 'r+');
  try {
    await file.write(data, 0, data.length, at);
  } finally {
    await file.close();
  }
  partial.wrote(at, data.length);
}

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
    assert.ok((await buffer(await store.read(info.digest, 10, 20))).equals(data.subarray(10, 20)));
    assert.equal((await buffer(await store.read(info.digest, 20, 20))).length, 0);
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

  it('tells the digest before anybody can see the blob', async (store) => {
    const data = randomBytes(5000);
    const told: unknown[] = [];
    const hold = async (digest: string): Promise<void> => void told.push(digest, await store.has(digest));
    await store.ingest(ctx, stream(data), { hold });
    assert.deepEqual(told, [sha(data), undefined]);
    const other = randomBytes(5000);
    const refuse = (): Promise<void> => Promise.reject(new Error('no room for it'));
    await assert.rejects(store.ingest(ctx, stream(other), { hold: refuse }), /no room for it/);
    assert.equal(await store.has(sha(other)), undefined);
  });

  it('takes the bytes of another caller when those that come in fail', async (store) => {
    const data = randomBytes(5000);
    const digest = sha(data);
    const breaking = new Readable({ read: () => {} });
    breaking.on('error', () => {});
    breaking.push(data.subarray(0, 1000));
    const first = store.ingest(ctx, breaking, { digest });
    const [second, third] = [stream(data), stream(data)].map((source) =>
      store.ingest(ctx, source, { digest }),
    );
    const stop = new AbortController();
    const cancelled = store.ingest({ ...ctx, signal: stop.signal }, stream(data), { digest });
    stop.abort();
    await assert.rejects(cancelled);
    breaking.destroy(new Error('the line broke'));
    await assert.rejects(first, /the line broke/);
    for (const stored of [second, third]) assert.deepEqual(await stored, { digest, size: data.length });
  });

  it('removes, also what is gone, and says what it lacks', async (store) => {
    const { digest } = await store.ingest(ctx, stream(Buffer.from('x')), {});
    await store.remove(digest);
    await store.remove(digest);
    assert.equal(await store.has(digest), undefined);
    await assert.rejects(store.read(digest), { kind: 'notFound' });
    await assert.rejects(store.readAll(digest, 1), { kind: 'notFound' });
  });

  const large = randomBytes((16 << 20) + 5000);

  it('takes a blob in pieces, goes on with what is there, and verifies the whole', async (store) => {
    const digest = sha(large);
    const first = await store.partial(digest, large.length);
    await assert.rejects(store.partial(digest, large.length), { kind: 'conflict' });
    assert.deepEqual(first.missing(), [{ from: 0, to: large.length }]);
    assert.equal((16 << 20) % Math.min(first.pieceSize, 16 << 20), 0);
    await write(first, 0, large.subarray(0, 100));
    await write(first, 100, large.subarray(100, 16 << 20));
    assert.equal(first.growth.bytes, 16 << 20);
    await first.close('keep');
    assert.equal(await store.has(digest), undefined);
    const second = await store.partial(digest, large.length);
    assert.deepEqual(second.missing(), [{ from: 16 << 20, to: large.length }]);
    const coming = second.commit(ctx);
    await write(second, 16 << 20, large.subarray(16 << 20));
    assert.deepEqual(await coming, { digest, size: large.length });
    assert.ok((await store.readAll(digest, large.length)).equals(large));
    await second.close('discard');
    assert.notEqual(await store.has(digest), undefined);
    assert.equal(await store.dropPartials(0), 0);
  });

  it('refuses pieces that make something else, or lie elsewhere, and leaves nothing', async (store) => {
    const digest = sha(Buffer.from('other'));
    const partial = await store.partial(digest, 5);
    assert.throws(() => partial.wrote(1, 1));
    assert.throws(() => partial.wrote(0, 8));
    await write(partial, 0, Buffer.from('wrong'));
    await assert.rejects(partial.commit(ctx), { kind: 'invalid', message: /unexpected digest/ });
    assert.equal(await store.has(digest), undefined);
    assert.equal(await store.dropPartials(0), 0);
    await assert.rejects(store.partial('sha256:../../etc/passwd', 5), { kind: 'invalid' });
  });

  it('makes a blob partial again, and drops what nobody goes on with', async (store) => {
    const data = Buffer.from('abc');
    const { digest } = await store.ingest(ctx, stream(data), {});
    await store.setAside(digest);
    await store.setAside(digest);
    assert.equal(await store.has(digest), undefined);
    const again = await store.partial(digest, 3);
    assert.deepEqual(again.missing(), []);
    assert.equal(await store.dropPartials(0), 0);
    await again.commit(ctx);
    assert.notEqual(await store.has(digest), undefined);
    await store.setAside(digest);
    assert.equal(await store.dropPartials(-60_000), 1);
    assert.deepEqual((await store.partial(digest, 3)).missing(), [{ from: 0, to: 3 }]);
  });
}
