/** What every registry client must do, against a registry that is empty at first. */

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { backgroundCtx } from '../../src/core/ctx.ts';
import type { Descriptor } from '../../src/core/model/image.ts';
import type { Registry } from '../../src/core/ports/registry.ts';

const ctx = backgroundCtx();
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const sha = (data: Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;
const describe = (data: Buffer, mediaType: string): Descriptor => ({
  mediaType,
  digest: sha(data),
  size: data.length,
});

export function registryContract(
  name: string,
  open: () => Promise<{ registry: Registry; domain: string; close: () => Promise<void> }>,
): void {
  const it = (what: string, body: (registry: Registry, domain: string) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const { registry, domain, close } = await open();
      try {
        await body(registry, domain);
      } finally {
        await close();
      }
    });
  };

  const push = async (
    registry: Registry,
    domain: string,
    path: string,
    tag: string,
  ): Promise<{ layer: Buffer; manifest: Buffer }> => {
    const layer = randomBytes(200_000);
    const config = Buffer.from('{}');
    const repository = { domain, path };
    for (const data of [layer, config]) {
      const open = async (): Promise<Readable> => Readable.from([data], { objectMode: false });
      await registry.pushBlob(
        ctx,
        repository,
        describe(data, 'application/octet-stream'),
        { open },
        undefined,
      );
    }
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        config: describe(config, 'application/vnd.oci.image.config.v1+json'),
        layers: [describe(layer, 'application/vnd.oci.image.layer.v1.tar')],
      }),
    );
    const { digest } = await registry.pushManifest(ctx, repository, tag, manifestType, manifest, undefined);
    assert.equal(digest, sha(manifest));
    return { layer, manifest };
  };

  it('gives back what was pushed: by tag, by digest, whole and from an offset', async (registry, domain) => {
    const repository = { domain, path: 'team/app' };
    const { layer, manifest } = await push(registry, domain, 'team/app', 'v1');
    for (const reference of ['v1', sha(manifest)]) {
      const got = await registry.manifest(ctx, repository, reference, undefined);
      assert.deepEqual(got.descriptor, {
        mediaType: manifestType,
        digest: sha(manifest),
        size: manifest.length,
      });
      assert.ok(got.bytes.equals(manifest));
      assert.equal(await registry.manifestDigest(ctx, repository, reference, undefined), sha(manifest));
    }
    assert.equal(await registry.manifestDigest(ctx, repository, 'v2', undefined), undefined);
    const descriptor = describe(layer, '');
    const whole = await registry.blob(ctx, repository, descriptor, undefined);
    assert.equal(whole.from, 0);
    assert.ok((await buffer(whole.stream)).equals(layer));
    const range = { from: 150_000, to: 160_000 };
    const part = await registry.blob(ctx, repository, descriptor, undefined, range);
    assert.equal(part.from, 150_000);
    assert.ok((await buffer(part.stream)).equals(layer.subarray(150_000, 160_000)));
    assert.deepEqual(await registry.tags(ctx, repository, undefined), ['v1']);
  });

  it('writes what is wanted of a blob into a file, and sends one from a file', async (registry, domain) => {
    const repository = { domain, path: 'team/app' };
    const { layer } = await push(registry, domain, 'team/app', 'v1');
    const descriptor = describe(layer, '');
    const folder = await mkdtemp(join(tmpdir(), 'slip-registry-'));
    try {
      const file = join(folder, 'blob');
      await writeFile(file, '');
      const wanted = Buffer.alloc(layer.length);
      for (const ranges of [[{ from: 150_000, to: 160_000 }], [{ from: 0, to: layer.length }]]) {
        const [range] = ranges;
        const isAll = range?.from === 0;
        const body = await registry.fetchBlob(
          ctx,
          repository,
          descriptor,
          undefined,
          isAll ? undefined : range,
        );
        assert.deepEqual([body.from, body.isRange], [range?.from, !isAll]);
        let at = range?.from;
        await body.save(file, ranges, (from, bytes) => {
          assert.equal(from, at);
          at = from + bytes;
        });
        assert.equal(at, range?.to);
        body.cancel();
        layer.copy(wanted, range?.from, range?.from, range?.to);
        const found = await readFile(file);
        assert.ok(found.equals(wanted.subarray(0, found.length)));
      }
      const target = { domain, path: 'from/file' };
      const sent: number[] = [];
      const told = await registry.pushBlob(ctx, target, descriptor, { file }, undefined, undefined, (bytes) =>
        sent.push(bytes),
      );
      assert.equal(told.outcome, 'uploaded');
      assert.equal(sent.at(-1), layer.length);
      assert.ok(
        (await buffer((await registry.blob(ctx, target, descriptor, undefined)).stream)).equals(layer),
      );
      const absent = describe(Buffer.from('absent'), '');
      await assert.rejects(registry.fetchBlob(ctx, repository, absent, undefined), { kind: 'notFound' });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('sends a blob once, and mounts it from another repository', async (registry, domain) => {
    const { layer } = await push(registry, domain, 'one/app', 'v1');
    const descriptor = describe(layer, '');
    const sent: number[] = [];
    const send = (path: string, from?: string): Promise<{ outcome: string }> =>
      registry.pushBlob(
        ctx,
        { domain, path },
        descriptor,
        { open: async () => Readable.from([layer], { objectMode: false }) },
        undefined,
        from === undefined ? undefined : { domain, path: from },
        (bytes) => sent.push(bytes),
      );
    assert.equal((await send('one/app')).outcome, 'exists');
    assert.equal((await send('two/app', 'one/app')).outcome, 'mounted');
    assert.deepEqual(sent, []);
    assert.equal((await send('three/app', 'none/app')).outcome, 'uploaded');
    assert.equal(sent.at(-1), layer.length);
  });

  it('shows that a push is allowed, and leaves nothing by the look', async (registry, domain) => {
    await push(registry, domain, 'team/app', 'v1');
    const before = await registry.tags(ctx, { domain, path: 'team/app' }, undefined);
    assert.equal(await registry.mayPush(ctx, { domain, path: 'team/app' }, undefined), true);
    assert.deepEqual(await registry.tags(ctx, { domain, path: 'team/app' }, undefined), before);
  });

  it('says what it lacks in the words of Docker', async (registry, domain) => {
    await push(registry, domain, 'team/app', 'v1');
    await assert.rejects(registry.manifest(ctx, { domain, path: 'team/app' }, 'v2', undefined), {
      kind: 'notFound',
      message: /^manifest for .*team\/app:v2 not found: manifest unknown/,
    });
    const absent = describe(Buffer.from('absent'), '');
    await assert.rejects(registry.blob(ctx, { domain, path: 'team/app' }, absent, undefined), {
      kind: 'notFound',
    });
  });

  it('ends when it is cancelled', async (registry, domain) => {
    const signal = AbortSignal.abort();
    await assert.rejects(
      registry.manifest({ ...ctx, signal }, { domain, path: 'team/app' }, 'v1', undefined),
      {
        kind: 'unavailable',
      },
    );
  });
}
