import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { ImageProgress } from '../../src/services/images/index.ts';
import { ctx, openEngine, stateOf, tarOf, type Engine, type File } from './engine.ts';

const sha = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
let engine: Engine;
beforeEach(async () => {
  engine = await openEngine();
});
afterEach(() => engine.close());

const none = (): void => {};
const stream = (data: Buffer): Readable => Readable.from([data], { objectMode: false });

interface Made {
  readonly config: Buffer;
  readonly layers: readonly Buffer[];
  readonly id: string;
}

function image(layers: readonly (readonly File[])[], config: object = {}): Made {
  const tars = layers.map(tarOf);
  const document = {
    architecture: 'amd64',
    os: 'linux',
    created: '2024-05-06T07:08:09.123456789Z',
    config: { Cmd: ['sh'], Env: ['PATH=/bin'], Labels: { a: 'b' }, ...config },
    rootfs: { type: 'layers', diff_ids: tars.map((tar) => `sha256:${sha(tar)}`) },
    history: tars.map((_tar, i) => ({ created_by: `step ${i}` })),
  };
  const bytes = Buffer.from(JSON.stringify(document));
  return { config: bytes, layers: tars, id: `sha256:${sha(bytes)}` };
}

/** As `docker save` wrote before version 25: `<id>/layer.tar`, the second layer a link. */
function dockerArchive(images: readonly (Made & { readonly tags: readonly string[] })[]): Buffer {
  const files: File[] = [];
  const manifest = images.map((each) => {
    const name = `${each.id.slice(7)}.json`;
    const layers = each.layers.map((tar) => `${sha(tar)}x/layer.tar`);
    each.layers.forEach((tar, i) => files.push({ name: layers[i] ?? '', text: tar.toString('latin1') }));
    files.push({ name, text: each.config.toString() });
    return { Config: name, RepoTags: each.tags, Layers: layers };
  });
  files.push({ name: 'manifest.json', text: JSON.stringify(manifest) });
  files.push({ name: 'repositories', text: '{}' });
  return tarOf(files);
}

interface LayoutOptions {
  readonly gzip?: boolean;
  readonly annotations?: Record<string, string>;
  readonly spoil?: (files: File[]) => File[];
}

function ociLayout(
  made: Made,
  { gzip = true, annotations = {}, spoil = (f) => f }: LayoutOptions = {},
): Buffer {
  const blobs = made.layers.map((tar) => (gzip ? gzipSync(tar) : tar));
  const blob = (data: Buffer): File => ({ name: `blobs/sha256/${sha(data)}`, text: data.toString('latin1') });
  const describe = (mediaType: string, data: Buffer): object => ({
    mediaType,
    digest: `sha256:${sha(data)}`,
    size: data.length,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: describe('application/vnd.oci.image.config.v1+json', made.config),
      layers: blobs.map((data) => describe('application/vnd.oci.image.layer.v1.tar+gzip', data)),
    }),
  );
  const index = {
    schemaVersion: 2,
    manifests: [{ ...describe('application/vnd.oci.image.manifest.v1+json', manifest), annotations }],
  };
  const files = [
    { name: 'oci-layout', text: '{"imageLayoutVersion":"1.0.0"}' },
    ...[...blobs, made.config, manifest].map(blob),
    { name: 'index.json', text: JSON.stringify(index) },
  ];
  return tarOf(spoil(files));
}

const base: readonly File[] = [
  { name: 'etc/', type: 'directory' },
  { name: 'etc/passwd', text: 'root:x:0:0\n' },
];
const top: readonly File[] = [{ name: 'etc/motd', text: 'hello' }];

test('a docker-archive with two images that share a layer, plain and compressed', async () => {
  const one = { ...image([base]), tags: ['one:1', 'localhost:5000/x/one:2'] };
  const two = { ...image([base, top]), tags: ['two:latest'] };
  const archive = dockerArchive([one, two]);
  for (const data of [archive, gzipSync(archive)]) {
    const said: ImageProgress[] = [];
    const loaded = await engine.images.load(ctx, { source: stream(data) }, (message) => said.push(message));
    assert.deepEqual(
      loaded.map((record) => record.id),
      [one.id, two.id],
    );
    assert.deepEqual(
      said.flatMap((message) => message.stream ?? []),
      ['Loaded image: one:1\n', 'Loaded image: localhost:5000/x/one:2\n', 'Loaded image: two:latest\n'],
    );
  }
  const [chain] = engine.images.resolve('two').layers;
  assert.equal(chain?.chainId, engine.images.resolve('one:1').layers[0]?.chainId);
  const { layers } = await engine.snapshots.list();
  assert.equal(layers.length, 2);
  const listed = await engine.images.list({ sharedSize: true });
  const sizes = listed.map((each) => [each.repoTags, each.size, each.sharedSize]);
  assert.deepEqual(
    sizes.sort((a, b) => Number(a[1]) - Number(b[1])),
    [
      [['one:1', 'localhost:5000/x/one:2'], 11, 11],
      [['two:latest'], 16, 11],
    ],
  );
  assert.deepEqual(await engine.images.orphans(), { layers: [], blobs: [] });
});

test('an OCI layout: named by containerd, named by tag only, and one that is saved again', async () => {
  const made = image([base, top]);
  const named = ociLayout(made, { annotations: { 'io.containerd.image.name': 'docker.io/library/app:v1' } });
  const [record] = await engine.images.load(ctx, { source: stream(named) }, none);
  assert.deepEqual(record?.tags, ['docker.io/library/app:v1']);
  const [again] = await engine.images.load(
    ctx,
    { source: stream(ociLayout(made, { annotations: { 'org.opencontainers.image.ref.name': 'v1' } })) },
    none,
  );
  assert.equal(again?.id, made.id);
  const saved = await buffer(await engine.images.save(ctx, ['app:v1']));
  const other = await openEngine();
  try {
    const said: ImageProgress[] = [];
    const [back] = await other.images.load(ctx, { source: stream(saved) }, (message) => said.push(message));
    assert.equal(back?.id, made.id);
    assert.deepEqual(back?.tags, ['docker.io/library/app:v1']);
    assert.equal(back?.manifest?.digest, record?.manifest?.digest);
    assert.deepEqual(await other.images.orphans(), { layers: [], blobs: [] });
  } finally {
    await other.close();
  }
});

test('inspect, history and the files of a layer are as the image says', async () => {
  const made = { ...image([base, top]), tags: ['app'] };
  await engine.images.load(ctx, { source: stream(dockerArchive([made])) }, none);
  const details = await engine.images.inspect('app');
  assert.equal(details.size, 16);
  assert.equal(details.created, '2024-05-06T07:08:09.123456789Z');
  assert.deepEqual(details.repoTags, ['app:latest']);
  const upper = details.graphDriver.data['UpperDir'] ?? '';
  assert.equal(readFileSync(join(upper, 'etc/motd'), 'utf8'), 'hello');
  const history = await engine.images.history('app');
  assert.deepEqual(
    history.map((item) => [item.id, item.createdBy, item.size, item.tags]),
    [
      [made.id, 'step 1', 5, ['app:latest']],
      ['<missing>', 'step 0', 11, []],
    ],
  );
  const short = made.id.slice(7, 19);
  for (const name of [
    made.id,
    made.id.slice(7),
    short,
    `sha256:${short}`,
    'app',
    'docker.io/library/app:latest',
  ])
    assert.equal(engine.images.resolve(name).id, made.id, name);
});

function withConfig(fields: object): Buffer {
  const made = image([base]);
  const config = Buffer.from(
    JSON.stringify({ ...(JSON.parse(made.config.toString()) as object), ...fields }),
  );
  return dockerArchive([{ ...made, config, id: `sha256:${sha(config)}`, tags: ['a:b'] }]);
}

test('configs that lack nearly everything, and old ones', async () => {
  const [made, old] = [image([base]), withConfig({ config: { Cmd: 'sh -c x', Env: null, Labels: null } })];
  const { rootfs } = JSON.parse(made.config.toString()) as { rootfs: object };
  const config = Buffer.from(JSON.stringify({ rootfs }));
  const bare = dockerArchive([{ ...made, config, id: `sha256:${sha(config)}`, tags: ['bare:v1'] }]);
  await engine.images.load(ctx, { source: stream(old) }, none);
  assert.deepEqual(engine.images.resolve('a:b').config.config?.Cmd, ['sh -c x']);
  await engine.images.load(ctx, { source: stream(bare) }, none);
  const record = engine.images.resolve('bare:v1');
  assert.deepEqual([record.config.os, record.config.architecture], ['linux', 'amd64']);
  assert.deepEqual(await engine.images.history('bare:v1'), []);
  // It does not say when it was made: no filter of times takes it, as with dockerd.
  for (const filters of [{ until: ['1h'] }, { before: ['a:b'] }, { since: ['a:b'] }])
    assert.ok(!(await engine.images.list({ filters })).some(({ id }) => id === record.id));
  const { deleted } = await engine.images.prune(ctx, { dangling: ['false'], until: ['1h'] });
  assert.deepEqual(
    deleted.flatMap((item) => ('untagged' in item ? item.untagged : [])),
    ['a:b'],
  );
});

const bad: Record<string, () => Buffer> = {
  'cut short in the middle': () => dockerArchive([{ ...image([base]), tags: [] }]).subarray(0, 2000),
  'cut short and compressed': () =>
    gzipSync(dockerArchive([{ ...image([base]), tags: [] }])).subarray(0, 400),
  'no archive at all': () => Buffer.alloc(4096, 'x'),
  empty: () => Buffer.alloc(0),
  'without a manifest': () => tarOf([{ name: 'a', text: 'b' }]),
  'with nonsense for a manifest': () => tarOf([{ name: 'manifest.json', text: '{"a":' }]),
  'with a layer missing': () =>
    tarOf([
      { name: 'c.json', text: '{}' },
      { name: 'manifest.json', text: '[{"Config":"c.json","RepoTags":["a:b"],"Layers":["l"]}]' },
    ]),
  'whose config has no layers for the archive': () => {
    const made = image([base, top]);
    return dockerArchive([{ ...made, layers: made.layers.slice(0, 1), tags: ['a:b'] }]);
  },
  'whose layer is not what the config says': () => {
    const made = image([base]);
    return dockerArchive([{ ...made, layers: [tarOf(top)], tags: ['a:b'] }]);
  },
  'whose blob is not what its name says': () =>
    ociLayout(image([base]), {
      spoil: (files) => files.map((file, i) => (i === 1 ? { ...file, text: `${file.text}x` } : file)),
    }),
  'with an upper-case tag': () => dockerArchive([{ ...image([base]), tags: ['Bad:Tag'] }]),
  'whose layer climbs out of its root': () =>
    dockerArchive([{ ...image([[{ name: '../../evil', text: 'x' }]]), tags: ['a:b'] }]),
  'whose config was made at no time': () => withConfig({ created: 'yesterday' }),
  'whose config has numbers for words': () => withConfig({ config: { Cmd: [1] } }),
  'whose labels are no texts': () => withConfig({ config: { Labels: { a: 1 } } }),
  'whose history is no history': () => withConfig({ history: ['x'] }),
  'with more layers than any mount takes': () => {
    const tar = tarOf(base);
    const layers = Array.from({ length: 501 }, () => tar);
    return withConfig({ rootfs: { type: 'layers', diff_ids: layers.map((each) => `sha256:${sha(each)}`) } });
  },
  'whose config is nested without end': () =>
    withConfig({ labels: JSON.parse(`${'['.repeat(1001)}${']'.repeat(1001)}`) as unknown }),
  'for another operating system': () => {
    const made = image([base]);
    const config = Buffer.from(made.config.toString().replace('"linux"', '"windows"'));
    return dockerArchive([{ ...made, config, id: `sha256:${sha(config)}`, tags: ['a:b'] }]);
  },
};

for (const [what, make] of Object.entries(bad)) {
  test(`an archive ${what} is refused and leaves nothing`, async () => {
    const before = await stateOf(engine);
    await assert.rejects(engine.images.load(ctx, { source: stream(make()) }, none), { kind: 'invalid' });
    await engine.trash.idle();
    assert.deepEqual(await stateOf(engine), before);
    assert.deepEqual(await engine.images.list({}), []);
  });
}

test('cancelling a load leaves nothing', async () => {
  const before = await stateOf(engine);
  const stop = new AbortController();
  const archive = dockerArchive([{ ...image([base]), tags: ['a'] }]);
  const source = Readable.from(
    (async function* () {
      yield archive.subarray(0, 1024);
      stop.abort();
      await new Promise((resolve) => setImmediate(resolve));
      yield archive.subarray(1024);
    })(),
    { objectMode: false },
  );
  await assert.rejects(engine.images.load({ ...ctx, signal: stop.signal }, { source }, none));
  assert.deepEqual(await stateOf(engine), before);
});

test('import: an image from files, with changes, as a stream of any compression', async () => {
  const record = await engine.images.import(
    ctx,
    {
      source: stream(gzipSync(tarOf([...base, ...top]))),
      repository: 'imported',
      message: 'from a tree',
      changes: [
        'CMD ["/bin/sh", "-c"]',
        'ENV A=1 B="x y"',
        'EXPOSE 80',
        'ENTRYPOINT run it',
        'LABEL k=v',
        'WORKDIR /w',
      ],
    },
    none,
  );
  assert.deepEqual(record.tags, ['docker.io/library/imported:latest']);
  assert.deepEqual(record.config.config, {
    Cmd: ['/bin/sh', '-c'],
    Env: ['A=1', 'B=x y'],
    ExposedPorts: { '80/tcp': {} },
    Entrypoint: ['/bin/sh', '-c', 'run it'],
    Labels: { k: 'v' },
    WorkingDir: '/w',
  });
  await assert.rejects(
    engine.images.import(ctx, { source: stream(tarOf(base)), changes: ['RUN x'] }, none),
    /RUN is not a valid change command/,
  );
  assert.deepEqual(
    engine.events.map((event) => event.action),
    ['tag', 'import'],
  );
  const [summary] = await engine.images.list({});
  assert.equal(summary?.size, 16);
});

test('commit: a layer on top of an image; the parent cannot go before the child', async () => {
  const parent = await engine.images.import(ctx, { source: stream(tarOf(base)), repository: 'parent' }, none);
  const { record: child, reference } = await engine.images.commit(ctx, {
    layer: stream(tarOf(top)),
    baseImageId: parent.id,
    config: { Cmd: ['x'] },
    createdBy: 'sh',
    author: 'me',
    repository: 'child',
    tag: 'v2',
  });
  assert.equal(reference, 'child:v2');
  assert.deepEqual(child.tags, ['docker.io/library/child:v2']);
  assert.equal(child.layers.length, 2);
  const history = await engine.images.history('child:v2');
  assert.deepEqual(
    history.map((item) => item.id),
    [child.id, parent.id],
  );
  await assert.rejects(
    engine.images.remove(ctx, parent.id, { force: true }),
    /image has dependent child images/,
  );
  await engine.images.remove(ctx, 'parent', {});
  const items = await engine.images.remove(ctx, 'child:v2', {});
  assert.deepEqual(
    items.map((item) => ('deleted' in item ? item.deleted : item.untagged)),
    ['child:v2', child.id, child.layers[1]?.chainId, parent.id, parent.layers[0]?.chainId],
  );
  assert.deepEqual(await engine.snapshots.list(), { layers: [], snapshots: [] });
  assert.deepEqual(await engine.blobs.list(), []);
});

test('what was loaded is there after the daemon was killed and started again', async () => {
  const made = { ...image([base, top]), tags: ['app'] };
  await engine.images.load(ctx, { source: stream(dockerArchive([made])) }, none);
  // A layer and a blob that no record names: what a daemon leaves that is killed during a pull.
  const stray = tarOf([{ name: 'stray', text: 'x' }]);
  const { digest } = await engine.blobs.ingest(ctx, stream(stray), {});
  await engine.snapshots.unpack(ctx, digest, undefined, stream(stray));
  await engine.records.close();
  const again = await openEngine({ folder: engine.root });
  try {
    assert.equal(await again.snapshots.hasLayer(digest), false);
    assert.equal(await again.blobs.has(digest), undefined);
    assert.equal(again.images.resolve('app').id, made.id);
    assert.deepEqual(await again.images.collectGarbage(ctx), { layers: [], blobs: [] });
    const [blob] = [await again.blobs.ingest(ctx, stream(Buffer.from('left behind')), {})];
    assert.deepEqual(await again.images.orphans(), { layers: [], blobs: [blob.digest] });
    assert.deepEqual(await again.images.collectGarbage(ctx), { layers: [], blobs: [blob.digest] });
  } finally {
    await again.close();
    // The killed one: its records are closed already.
    await engine.trash.close();
    await engine.workers.close();
    await engine.host.close();
    await rm(engine.root, { recursive: true });
  }
  engine = await openEngine();
});
