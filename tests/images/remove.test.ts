/** Removing, tagging, listing and pruning by Docker's rules. */

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, test } from 'node:test';
import type { ContainerUsage, RemovedItem } from '../../src/services/images/index.ts';
import { ctx, openEngine, tarOf, type Engine } from './engine.ts';

let engine: Engine;
beforeEach(async () => {
  engine = await openEngine();
});
afterEach(() => engine.close());

async function make(
  name: string | undefined,
  text = name ?? 'x',
  labels: readonly string[] = [],
): Promise<string> {
  const source = Readable.from([tarOf([{ name: 'f', text }])], { objectMode: false });
  const [repository, tag] = name?.split(':') ?? [];
  const changes = labels.map((label) => `LABEL ${label}`);
  const input = {
    source,
    changes,
    ...(repository !== undefined && { repository }),
    ...(tag !== undefined && { tag }),
  };
  return (await engine.images.import(ctx, input, () => {})).id;
}
const show = (items: readonly RemovedItem[]): string[] =>
  items.map((item) => ('untagged' in item ? `-${item.untagged}` : `x${item.deleted.slice(7, 19)}`));
const short = (id: string): string => id.slice(7, 19);
const layerOf = (id: string): string => short(engine.images.get(id)?.layers[0]?.chainId ?? '');
const container = (imageId: string, active: boolean): ContainerUsage => ({
  id: 'c'.repeat(64),
  name: 'web',
  imageId,
  imageRef: 'one',
  active,
});
const tags = async (): Promise<string[]> =>
  (await engine.images.list({})).flatMap((image) => image.repoTags).sort();

test('the last name takes the image along, an earlier one only itself', async () => {
  const id = await make('one');
  const layer = layerOf(id);
  await engine.images.tag(ctx, 'one', { repository: 'two', tag: 'v1' });
  assert.deepEqual(show(await engine.images.remove(ctx, 'one', {})), ['-one:latest']);
  assert.deepEqual(await tags(), ['two:v1']);
  assert.deepEqual(show(await engine.images.remove(ctx, 'two:v1', {})), [
    '-two:v1',
    `x${short(id)}`,
    `x${layer}`,
  ]);
  assert.deepEqual(await engine.images.list({ all: true }), []);
  await assert.rejects(engine.images.remove(ctx, 'two:v1', {}), {
    kind: 'notFound',
    message: 'No such image: two:v1',
  });
  assert.deepEqual(
    engine.events.map((event) => event.action),
    ['tag', 'import', 'tag', 'untag', 'untag', 'delete'],
  );
});

test('by id: one name goes with it, names in several repositories need force', async () => {
  const id = await make('one');
  await engine.images.tag(ctx, 'one', { repository: 'two' });
  await assert.rejects(engine.images.remove(ctx, short(id), {}), {
    kind: 'conflict',
    message: `conflict: unable to delete ${short(id)} (must be forced) - image is referenced in multiple repositories`,
  });
  assert.deepEqual(show(await engine.images.remove(ctx, short(id), { force: true })).slice(0, 3), [
    '-one:latest',
    '-two:latest',
    `x${short(id)}`,
  ]);
});

test('an image in use: by a stopped container it must be forced, by a running one it cannot', async () => {
  const id = await make('one');
  engine.used.push(container(id, false));
  await assert.rejects(engine.images.remove(ctx, 'one', {}), {
    message: `conflict: unable to remove repository reference "one" (must force) - container ${'c'.repeat(12)} is using its referenced image ${short(id)}`,
  });
  await assert.rejects(engine.images.remove(ctx, id, {}), {
    message: `conflict: unable to delete ${short(id)} (must be forced) - image is being used by stopped container ${'c'.repeat(12)}`,
  });
  engine.used.splice(0, 1, container(id, true));
  await assert.rejects(engine.images.remove(ctx, id, { force: true }), {
    message: `conflict: unable to delete ${short(id)} (cannot be forced) - image is being used by running container ${'c'.repeat(12)}`,
  });
  // By name and force the name goes; the image stays for the container.
  assert.deepEqual(show(await engine.images.remove(ctx, 'one', { force: true })), ['-one:latest']);
  assert.equal(engine.images.get(id)?.id, id);
});

test('layers under a container stay when its image is removed by force', async () => {
  const id = await make('one');
  const layer = engine.images.topLayer(engine.images.resolve('one'));
  await engine.snapshots.prepare('box', layer);
  engine.used.push(container(id, false));
  await engine.images.remove(ctx, id, { force: true });
  assert.deepEqual((await engine.snapshots.list()).layers, [layer]);
  await engine.snapshots.mount('box', { volatile: false });
  await engine.snapshots.removeSnapshot('box');
  assert.deepEqual((await engine.images.collectGarbage(ctx)).layers, [layer]);
});

test('a tag moves; the image that had it is dangling, and pruning takes it', async () => {
  const old = await make('app', 'old');
  const fresh = await make('app', 'new');
  assert.equal(engine.images.resolve('app').id, fresh);
  const list = (filters: Record<string, string[]>): Promise<string[]> =>
    engine.images.list({ filters }).then((images) => images.map((image) => image.id));
  assert.deepEqual(await list({ dangling: ['true'] }), [old]);
  assert.deepEqual(await list({ dangling: ['false'] }), [fresh]);
  const report = await engine.images.prune(ctx, {});
  assert.equal(report.spaceReclaimed, 3);
  assert.deepEqual(show(report.deleted)[0], `x${short(old)}`);
  assert.deepEqual(await tags(), ['app:latest']);
  engine.used.push(container(fresh, false));
  assert.deepEqual((await engine.images.prune(ctx, { dangling: ['false'] })).deleted, []);
  engine.used.pop();
  assert.equal((await engine.images.prune(ctx, { dangling: ['false'] })).spaceReclaimed, 3);
  assert.deepEqual(await engine.images.list({}), []);
});

test('pruning all takes an image and the one that it stands on, whichever has a name', async () => {
  const base = await make('base');
  const { record } = await engine.images.commit(ctx, {
    layer: undefined,
    baseImageId: base,
    config: {},
    createdBy: 'x',
    repository: 'child',
  });
  const report = await engine.images.prune(ctx, { dangling: ['false'] });
  const deleted = report.deleted.flatMap((item) => ('deleted' in item ? [item.deleted] : []));
  assert.deepEqual(
    deleted.filter((id) => id === base || id === record.id),
    [record.id, base],
  );
  assert.deepEqual(await engine.images.list({ all: true }), []);
});

test('filters of the list', async () => {
  const one = await make('one:v1', 'a', ['env=prod']);
  const two = await make('team/two:v2', 'b', ['env=dev']);
  const by = async (filters: Record<string, string[]>): Promise<string[]> =>
    (await engine.images.list({ filters })).map((image) => image.id).sort();
  const both = [one, two].sort();
  assert.deepEqual(await by({ label: ['env'] }), both);
  assert.deepEqual(await by({ label: ['env=dev'] }), [two]);
  assert.deepEqual(await by({ reference: ['one'] }), [one]);
  assert.deepEqual(await by({ reference: ['*/*:v2', 'nothing'] }), [two]);
  assert.deepEqual(await by({ reference: ['*'] }), [one]);
  // Made within one second, as a rule: compared as finely as the images say.
  assert.deepEqual(await by({ since: ['one:v1'] }), [two]);
  assert.deepEqual(await by({ before: ['team/two:v2'] }), [one]);
  assert.deepEqual(await by({ since: ['team/two:v2'] }), []);
  assert.deepEqual(await by({ until: ['2001-01-01T00:00:00Z'] }), []);
  assert.deepEqual(await by({ until: [String(Math.ceil(Date.now() / 1000) + 1)] }), both);
  await assert.rejects(by({ colour: ['red'] }), { kind: 'invalid', message: "invalid filter 'colour'" });
  await assert.rejects(by({ dangling: ['maybe'] }), { kind: 'invalid' });
  await assert.rejects(by({ before: ['absent'] }), { message: 'No such image: absent:latest' });
});

test('names that are none are refused in the words of Docker', async () => {
  await make('one');
  await assert.rejects(engine.images.tag(ctx, 'one', { repository: 'Two' }), /must be lowercase/);
  await assert.rejects(
    engine.images.tag(ctx, 'one', { repository: 'two', tag: 'a b' }),
    /invalid tag format/,
  );
  await assert.rejects(engine.images.tag(ctx, 'none', { repository: 'two' }), /No such image: none:latest/);
  assert.throws(() => engine.images.resolve('a b'), /invalid reference format/);
  assert.equal(engine.images.find('absent'), undefined);
  assert.throws(() => engine.images.resolve('ab'.repeat(32)), {
    message: `No such image: sha256:${'ab'.repeat(32)}`,
  });
});

test('a thousand tags at once: none is lost', async () => {
  await make('base');
  await Promise.all(
    Array.from({ length: 1000 }, (_, i) => engine.images.tag(ctx, 'base', { repository: `r${i}` })),
  );
  assert.equal((await tags()).length, 1001);
});
