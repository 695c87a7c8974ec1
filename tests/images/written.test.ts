/** What `save` writes is valid by the schemas of the OCI image specification, whatever the image came from. */

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { tarEntries } from '../../src/core/tar/index.ts';
import { ctx, openEngine, tarOf } from './engine.ts';
import { multiPlatform, sha256 } from './layouts.ts';
import { ociFaults } from './oci-schema.ts';

const none = (): void => {};
const stream = (data: Buffer): Readable => Readable.from([data], { objectMode: false });

async function filesOf(archive: Readable): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for await (const { header, body } of tarEntries(archive))
    if (header.type === 'file') files.set(header.name, await buffer(body));
  return files;
}

interface Described {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Checks a document and all below it; returns the digests that it leads to. */
function walk(files: Map<string, Buffer>, descriptor: Described): string[] {
  const bytes = files.get(`blobs/sha256/${descriptor.digest.slice(7)}`);
  assert.ok(bytes, `${descriptor.digest} is there`);
  assert.deepEqual([sha256(bytes), bytes.length], [descriptor.digest, descriptor.size]);
  if (!descriptor.mediaType.endsWith('json')) return [descriptor.digest];
  if (descriptor.mediaType === 'application/vnd.in-toto+json') return [descriptor.digest];
  const document = JSON.parse(String(bytes)) as {
    manifests?: Described[];
    config?: Described;
    layers?: Described[];
  };
  const isConfig = /config/.test(descriptor.mediaType);
  const kind = isConfig ? 'config' : document.manifests === undefined ? 'image-manifest' : 'image-index';
  assert.deepEqual(ociFaults(kind, document), [], descriptor.digest);
  if (isConfig) return [descriptor.digest];
  const below = document.manifests ?? [
    ...(document.layers ?? []),
    ...(document.config ? [document.config] : []),
  ];
  return [descriptor.digest, ...below.flatMap((each) => walk(files, each))];
}

test('a layout of images from an index, an import and a commit', async () => {
  const engine = await openEngine();
  try {
    const { layout, index } = multiPlatform();
    const archive = layout.archive([{ entry: index, name: 'docker.io/library/many:v1' }]);
    await engine.images.load(ctx, { source: stream(archive) }, none);
    const base = await engine.images.import(
      ctx,
      {
        source: stream(tarOf([{ name: 'a', text: 'a' }])),
        repository: 'imported',
        message: 'from a test',
        changes: [
          'ENV A=b',
          'EXPOSE 80',
          'VOLUME /data',
          'LABEL l=1',
          'STOPSIGNAL SIGINT',
          'WORKDIR /w',
          'USER 1',
        ],
      },
      none,
    );
    await engine.images.commit(ctx, {
      layer: stream(tarOf([{ name: 'b', text: 'b' }])),
      baseImageId: base.id,
      config: { Cmd: ['sh'], Env: ['X=1'] },
      createdBy: 'test',
      author: 'Name',
      comment: 'words',
      repository: 'committed',
    });
    const files = await filesOf(await engine.images.save(ctx, ['many:v1', 'imported', 'committed']));
    assert.deepEqual(ociFaults('image-layout', JSON.parse(String(files.get('oci-layout')))), []);
    const top = JSON.parse(String(files.get('index.json'))) as { manifests: Described[] };
    assert.deepEqual(ociFaults('image-index', top), []);
    assert.equal(top.manifests.length, 3);
    const reached = new Set(top.manifests.flatMap((each) => walk(files, each)));
    const written = [...files.keys()].filter((name) => name.startsWith('blobs/'));
    assert.deepEqual(written.map((name) => `sha256:${name.slice(13)}`).sort(), [...reached].sort());
  } finally {
    await engine.close();
  }
});

test('the schemas find what is wrong', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 1 };
  const good = { schemaVersion: 2, config, layers: [config] };
  assert.deepEqual(ociFaults('image-manifest', good), []);
  assert.match(ociFaults('image-manifest', { ...good, layers: [] }).join(), /too few items/);
  assert.match(
    ociFaults('image-manifest', { ...good, config: { ...config, digest: 'x' } }).join(),
    /does not match/,
  );
  assert.match(ociFaults('image-manifest', { schemaVersion: 1, config }).join(), /no layers.*less than 2/);
  assert.match(ociFaults('config', { os: 'linux', architecture: 1, rootfs: {} }).join(), /not string/);
});
