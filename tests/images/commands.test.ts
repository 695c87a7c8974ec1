/** The image commands of `slipway`, through the API, on real storage: platforms, attestations and the layer explorer. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { startServer, type TestServer } from '../api/fakes/server.ts';
import { runSlipway, type Outcome } from '../cli/harness.ts';
import { ctx, openEngine, tarOf, type Engine } from './engine.ts';
import { multiPlatform, provenance, type Entry } from './layouts.ts';

interface World {
  readonly engine: Engine;
  readonly server: TestServer;
  readonly folder: string;
  run(...args: string[]): Promise<Outcome>;
}

async function open(context: TestContext): Promise<World> {
  const engine = await openEngine();
  const folder = mkdtempSync(join(tmpdir(), 'slip-commands-'));
  context.after(async () => {
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const server = await startServer(context, { images: engine.images });
  return { engine, server, folder, run: (...args) => runSlipway(args, `unix://${server.socket}`) };
}

async function loadPlatforms(world: World): Promise<ReturnType<typeof multiPlatform>> {
  const made = multiPlatform();
  const file = join(world.folder, 'app.tar');
  await writeFile(file, made.layout.archive([{ entry: made.index, name: 'docker.io/library/app:v1' }]));
  const { stdout, code } = await world.run('load', '-i', file);
  assert.deepEqual([stdout, code], ['Loaded image: app:v1\n', 0]);
  return made;
}

const short = ({ digest }: Pick<Entry, 'digest'>): string => digest.slice(7, 19);

test('images --tree shows each platform; inspect, save, load and rmi take one of them', async (context) => {
  const world = await open(context);
  const { amd64, arm64 } = await loadPlatforms(world);
  const tree = (await world.run('images', '--tree')).stdout.split('\n');
  assert.match(tree[0] ?? '', /^IMAGE +ID +DISK USAGE +CONTENT SIZE +EXTRA$/);
  assert.ok(tree[1]?.startsWith('app:v1 ') && tree[1].includes(short({ digest: amd64.id })));
  assert.ok(tree[2]?.startsWith('├─ linux/arm64') && tree[2].includes(short(arm64)));
  assert.ok(tree[3]?.startsWith('└─ linux/amd64') && tree[3].includes(short(amd64)));
  assert.equal(tree[4], '');
  assert.equal((await world.run('images', '--tree', '-a')).stdout.match(/attestation/g)?.length, 2);
  assert.equal((await world.run('images', '--tree', '-q')).code, 1);
  const inspect = await world.run('image', 'inspect', '--platform', 'arm64', '-f', '{{.Id}}', 'app:v1');
  assert.equal(inspect.stdout, `${arm64.id}\n`);
  const none = await world.run('image', 'inspect', '--platform', 'linux/mips', 'app:v1');
  assert.match(none.stderr, /does not provide the specified platform \(linux\/mips\)/);
  const saved = join(world.folder, 'arm.tar');
  assert.equal((await world.run('save', '--platform', 'linux/arm64', '-o', saved, 'app:v1')).code, 0);
  assert.ok(!(await readFile(saved, 'latin1')).includes(amd64.digest.slice(7)));
  const gone = await world.run('rmi', '--platform', 'linux/arm64', 'app:v1');
  assert.match(gone.stdout, new RegExp(`^Deleted: ${arm64.id}\n`));
  await world.run('rmi', 'app:v1');
  const missing = await world.run('load', '--platform', 'linux/amd64', '-i', saved);
  assert.match(missing.stderr, /no image for the requested platform \(linux\/amd64\)/);
  assert.equal((await world.run('images', '-q')).stdout, '');
});

test('a name with several platforms: the list, and the container of the one that is asked for', async (context) => {
  const world = await open(context);
  await loadPlatforms(world);
  await world.engine.images.tag(ctx, 'app:v1', { repository: '127.0.0.1:5000/app', tag: 'z' });
  await world.engine.images.tag(ctx, 'app:v1', { repository: 'aaa' });
  const [row] = await world.engine.images.list({});
  assert.deepEqual(row?.repoTags, ['127.0.0.1:5000/app:z', 'aaa:latest', 'app:v1']);
  assert.deepEqual((await world.engine.images.inspect('app:v1')).repoTags, row?.repoTags);
});

test('attestations over the API, and platforms that are none', async (context) => {
  const world = await open(context);
  const { amd64 } = await loadPlatforms(world);
  const path = '/v1.54/images/app:v1/attestations';
  const { json, status } = await world.server.request('GET', `${path}?statement=1`);
  const [one] = json as { PredicateType: string; Statement: { predicate: unknown } }[];
  assert.deepEqual(
    [status, one?.PredicateType, one?.Statement.predicate],
    [200, provenance, { builder: amd64.platform }],
  );
  const bad: Record<string, RegExp> = {
    '?platform=linux': /failed to parse platform/,
    '?platform={"os":"linux"}': /both OS and Architecture must be provided/,
    '?platform={"os":"linux","architecture":"amd64"}&platform={"os":"linux","architecture":"arm64"}':
      /only one platform/,
  };
  for (const [query, words] of Object.entries(bad)) {
    const answer = await world.server.request('GET', `${path}${encodeURI(query)}`);
    assert.deepEqual([answer.status, words.test(answer.text)], [400, true], `${query}: ${answer.text}`);
  }
  assert.equal((await world.server.request('GET', '/images/none/attestations')).status, 404);
  const both = '/v1.50/images/app:v1/json?manifests=1&platform={"os":"linux","architecture":"amd64"}';
  assert.equal((await world.server.request('GET', encodeURI(both))).status, 400);
  // Versions that do not know the fields do not get them.
  const old = (await world.server.request('GET', '/v1.46/images/json?manifests=1')).json as object[];
  assert.deepEqual(
    [old.length, 'Manifests' in (old[0] ?? {}), 'Descriptor' in (old[0] ?? {})],
    [1, false, false],
  );
  const now = (await world.server.request('GET', '/v1.48/images/json?manifests=1')).json as {
    Manifests: { Kind: string; Available: boolean }[];
  }[];
  assert.deepEqual(
    now[0]?.Manifests.map(({ Kind }) => Kind),
    ['image', 'image', 'attestation', 'attestation'],
  );
});

async function makeLayers({ engine }: World): Promise<void> {
  const stream = (files: Parameters<typeof tarOf>[0]): Readable =>
    Readable.from([tarOf(files)], { objectMode: false });
  const big = 'x'.repeat(40_000);
  const base = await engine.images.import(
    ctx,
    {
      source: stream([
        { name: 'etc/', type: 'directory' },
        { name: 'etc/conf', text: 'one' },
        { name: 'usr/lib/a', text: big },
        { name: 'usr/lib/b', text: big },
        { name: 'opt/old/x', text: '12345' },
        { name: 'opt/old/y', text: '12345' },
      ]),
      message: 'base',
    },
    () => {},
  );
  await engine.images.commit(ctx, {
    layer: stream([
      { name: 'etc/', type: 'directory' },
      { name: 'etc/conf', text: 'three' },
      { name: 'etc/new\u001b[31m', text: 'n' },
      { name: 'usr/lib/.wh.a' },
      { name: 'opt/.wh.old' },
    ]),
    baseImageId: base.id,
    config: {},
    createdBy: 'RUN rm -r /usr/lib/a /opt/old',
    repository: 'my/app',
  });
}

test('image layers: sums, files as a tree, JSON', async (context) => {
  const world = await open(context);
  await makeLayers(world);
  const { stdout, code } = await world.run('image', 'layers', 'my/app');
  assert.equal(code, 0);
  const [title, first, second, , last] = stdout.split('\n');
  assert.match(title ?? '', /^LAYER +SIZE +ADDED +CHANGED +REMOVED +WASTES +CREATED BY$/);
  assert.match(first ?? '', /^1 +80kB +\d+ \(80kB\) +- +- +- *$/);
  assert.match(
    second ?? '',
    /^2 +6B +1 \(1B\) +1 \(5B\) +2 \(40kB\) +40kB +RUN rm -r \/usr\/lib\/a \/opt\/old$/,
  );
  assert.equal(last, '2 layers, 80kB; hidden by later layers: 40kB (50.0%)');
  const files = (await world.run('image', 'layers', '--files', '--layer', '2', 'my/app')).stdout;
  assert.match(files, /\nLayer 2\n/);
  assert.match(files, /C +5B .*conf  hides 3B/);
  assert.match(files, /D +0B .*old.*  hides 10B/);
  assert.ok(!files.includes('\u001b'), 'no control characters');
  const shallow = (await world.run('image', 'layers', '--files', '--depth', '1', '--layer', '1', 'my/app'))
    .stdout;
  assert.match(shallow, /80kB  .*usr\/  \(3 more\)/);
  const json = JSON.parse(
    (await world.run('image', 'layers', '--files', '--format', 'json', 'my/app')).stdout,
  ) as {
    wasted: number;
    layers: { wasted: number; files: { path: string; kind: string; wasted: number }[] }[];
  };
  assert.deepEqual([json.wasted, json.layers.map(({ wasted }) => wasted)], [40_013, [0, 40_013]]);
  assert.deepEqual(
    json.layers[1]?.files.map(({ path, kind, wasted }) => [path, kind, wasted]),
    [
      ['/etc/conf', 'changed', 3],
      ['/etc/new\u001b[31m', 'added', 0],
      ['/opt/old', 'removed', 10],
      ['/usr/lib/a', 'removed', 40_000],
    ],
  );
  const template = await world.run('image', 'layers', '--format', '{{.Layer}} {{.Wasted}}', 'my/app');
  assert.equal(template.stdout, '1 -\n2 40kB\n');
});

test('image layers --max-waste fails a build that wastes too much, and only then', async (context) => {
  const world = await open(context);
  await makeLayers(world);
  const code = async (limit: string): Promise<number> =>
    (await world.run('image', 'layers', '--max-waste', limit, 'my/app')).code;
  assert.deepEqual(
    [await code('60%'), await code('50KB'), await code('49%'), await code('39KB'), await code('0')],
    [0, 0, 1, 1, 1],
  );
  const said = await world.run('image', 'layers', '--max-waste', '10%', 'my/app');
  assert.match(said.stderr, /my\/app wastes 40kB \(50\.0% of 80kB\), more than --max-waste 10%/);
  assert.match(
    (await world.run('image', 'layers', '--max-waste', 'much', 'my/app')).stderr,
    /neither a size/,
  );
  assert.match((await world.run('image', 'layers', '--layer', '3', 'my/app')).stderr, /layers 1 to 2/);
  assert.match((await world.run('image', 'layers', 'none')).stderr, /No such image: none:latest/);
});
