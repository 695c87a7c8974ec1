/** The volume service on the local driver. */

import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { EventBus, type EngineEvent } from '../../src/core/events.ts';
import { openVolumes, type VolumeService, type VolumeUse } from '../../src/services/volumes/index.ts';
import { openLocalVolumes } from '../../src/storage/index.ts';
import { ctx, openStorage, type Storage } from './engine.ts';

let storage: Storage;
let volumes: VolumeService;
const uses: VolumeUse[] = [];
const events: EngineEvent[] = [];

async function open(): Promise<VolumeService> {
  const bus = new EventBus();
  bus.subscribe((event) => void events.push(event));
  const drivers = [await openLocalVolumes(storage, storage.root)];
  return openVolumes({
    records: storage.records,
    drivers,
    host: storage.host,
    events: bus,
    uses: () => uses,
  });
}
beforeEach(async () => {
  storage = await openStorage();
  uses.length = 0;
  events.length = 0;
  volumes = await open();
});
afterEach(() => storage.close());

const options = (type: string, device: string, o?: string): Record<string, string> => ({
  type,
  device,
  ...(o !== undefined && { o }),
});

test('created once, with a name made up where none is given, and there after a restart', async () => {
  const data = await volumes.create(ctx, { name: 'data', labels: { a: 'b' } });
  assert.equal(data.mountpoint, join(storage.root, 'volumes/data/_data'));
  assert.equal(data.anonymous, false);
  const again = await volumes.ensure(ctx, { name: 'data' });
  assert.deepEqual(again, { record: data, created: false });
  const anonymous = await volumes.ensure(ctx, {});
  assert.match(anonymous.record.name, /^[0-9a-f]{64}$/);
  assert.deepEqual([anonymous.created, anonymous.record.anonymous], [true, true]);
  const many = await Promise.all(Array.from({ length: 10 }, () => volumes.ensure(ctx, { name: 'raced' })));
  assert.equal(many.filter((each) => each.created).length, 1);
  assert.deepEqual(
    events.map((event) => event.action),
    ['create', 'create', 'create'],
  );
  const reopened = await open();
  assert.deepEqual(reopened.list(), volumes.list());
});

test('refused in the words of Docker', async () => {
  const create = (input: Parameters<VolumeService['create']>[1]): Promise<unknown> =>
    volumes.create(ctx, input);
  await assert.rejects(
    create({ name: 'a' }),
    /volume name is too short, names should be at least two alphanumeric characters/,
  );
  await assert.rejects(create({ name: '../x' }), /includes invalid characters for a local volume name/);
  await assert.rejects(create({ name: 'data', driver: 'nfs9' }), {
    kind: 'notFound',
    message: /error looking up volume plugin nfs9/,
  });
  await assert.rejects(create({ name: 'data', options: { nonsense: '1' } }), {
    kind: 'invalid',
    message: 'create data: invalid option: "nonsense"',
  });
  await assert.rejects(
    create({ name: 'data', options: { type: 'tmpfs' } }),
    /missing required option: "device"/,
  );
  assert.deepEqual(volumes.list(), []);
  assert.deepEqual(readdirSync(join(storage.root, 'volumes')), []);
  assert.throws(() => volumes.inspect('none'), { kind: 'notFound', message: 'get none: no such volume' });
  await assert.rejects(volumes.remove(ctx, 'none', {}), { message: 'get none: no such volume' });
  await volumes.remove(ctx, 'none', { force: true });
});

test('not removed while in use, pruned when not', async () => {
  const named = await volumes.create(ctx, { name: 'named', labels: { keep: 'no' } });
  const { record: free } = await volumes.ensure(ctx, {});
  const { record: taken } = await volumes.ensure(ctx, {});
  uses.push({ containerId: 'c1', volumeName: taken.name }, { containerId: 'c2', volumeName: taken.name });
  await assert.rejects(volumes.remove(ctx, taken.name, { force: true }), {
    kind: 'conflict',
    message: `remove ${taken.name}: volume is in use - [c1, c2]`,
  });
  writeFileSync(join(free.mountpoint, 'f'), '12345');
  assert.deepEqual(
    volumes
      .list({ dangling: ['true'] })
      .map((each) => each.name)
      .sort(),
    [named.name, free.name].sort(),
  );
  assert.deepEqual(volumes.list({ dangling: ['false'] }), [taken]);
  assert.deepEqual(await volumes.prune(ctx, {}), { deleted: [free.name], spaceReclaimed: 5 });
  assert.deepEqual((await volumes.prune(ctx, { all: ['true'], label: ['keep=yes'] })).deleted, []);
  assert.deepEqual((await volumes.prune(ctx, { all: ['true'] })).deleted, [named.name]);
  assert.deepEqual(volumes.list({ name: [taken.name.slice(3, 10)], driver: ['local'] }), [taken]);
  assert.throws(() => volumes.list({ colour: ['x'] }), { message: "invalid filter 'colour'" });
  const [usage] = await volumes.usage();
  assert.deepEqual(usage, { record: taken, size: 0, references: 2 });
});

test('copied up from the image: owners, modes, links; only when empty; never from outside the image', async () => {
  const image = join(storage.root, 'image');
  mkdirSync(join(image, 'var/lib/db/sub'), { recursive: true });
  writeFileSync(join(image, 'var/lib/db/file'), 'text', { mode: 0o640 });
  chownSync(join(image, 'var/lib/db/file'), 100, 101);
  linkSync(join(image, 'var/lib/db/file'), join(image, 'var/lib/db/sub/hard'));
  symlinkSync('/etc/passwd', join(image, 'var/lib/db/soft'));
  chmodSync(join(image, 'var/lib/db'), 0o2770);
  chownSync(join(image, 'var/lib/db'), 100, 101);
  symlinkSync('/var/lib/db', join(image, 'data'));
  symlinkSync('../../../../../../../../etc', join(image, 'escape'));
  const { mountpoint } = await volumes.create(ctx, { name: 'db' });
  const copy = (name: string, pathInImage: string): Promise<boolean> =>
    volumes.copyUp(ctx, { name, imageRoot: image, pathInImage });
  assert.equal(await copy('db', '/data'), true);
  const stats = lstatSync(mountpoint);
  assert.deepEqual([stats.mode & 0o7777, stats.uid, stats.gid], [0o2770, 100, 101]);
  const file = lstatSync(join(mountpoint, 'file'));
  assert.deepEqual([file.mode & 0o7777, file.uid, file.gid, file.nlink], [0o640, 100, 101, 2]);
  assert.equal(lstatSync(join(mountpoint, 'soft')).isSymbolicLink(), true);
  writeFileSync(join(mountpoint, 'file'), 'changed');
  await copy('db', '/data');
  assert.equal(readFileSync(join(mountpoint, 'file'), 'utf8'), 'changed');
  const { mountpoint: other } = await volumes.create(ctx, { name: 'other' });
  for (const path of ['/none', '/var/lib/db/file', '/escape', '/data/soft'])
    assert.equal(await copy('other', path), false, path);
  assert.deepEqual(readdirSync(other), []);
  // Of an empty directory its owner and mode are the content; without any of its own there is nothing to copy.
  for (const name of ['plain', 'owned']) mkdirSync(join(image, name), { mode: 0o755 });
  chownSync(join(image, 'owned'), 100, 101);
  assert.equal(await copy('other', '/plain'), false);
  assert.equal(await copy('other', '/owned'), true);
  assert.equal(lstatSync(other).uid, 100);
});

test('options mount a tmpfs or another directory, once for several containers', async () => {
  const source = join(storage.root, 'elsewhere');
  mkdirSync(source);
  writeFileSync(join(source, 'f'), 'there');
  const bound = await volumes.create(ctx, { name: 'bound', options: options('none', source, 'bind') });
  const memory = await volumes.create(ctx, {
    name: 'memory',
    options: options('tmpfs', 'tmpfs', 'size=1m,uid=1000,nosuid'),
  });
  const mounts = async (): Promise<number> =>
    (await storage.host.mounts(join(storage.root, 'volumes'))).length;
  await volumes.mount(ctx, 'bound', 'c1');
  await volumes.mount(ctx, 'bound', 'c2');
  await volumes.mount(ctx, 'memory', 'c1');
  assert.equal(await mounts(), 2);
  assert.equal(readFileSync(join(bound.mountpoint, 'f'), 'utf8'), 'there');
  assert.equal(lstatSync(memory.mountpoint).uid, 1000);
  await volumes.unmount(ctx, 'bound', 'c1');
  await volumes.unmount(ctx, 'bound', 'c1');
  assert.equal(await mounts(), 2);
  await volumes.unmount(ctx, 'bound', 'c2');
  await volumes.unmount(ctx, 'memory', 'c1');
  assert.equal(await mounts(), 0);
  await volumes.mount(ctx, 'bound', 'c1');
  await volumes.remove(ctx, 'bound', {});
  await storage.trash.idle();
  assert.equal(readFileSync(join(source, 'f'), 'utf8'), 'there');
  assert.equal(await mounts(), 0);
  const broken = await volumes.create(ctx, {
    name: 'broken',
    options: options('none', '/does/not/exist', 'bind'),
  });
  await assert.rejects(volumes.mount(ctx, broken.name, 'c1'), /failed to mount local volume/);
});

test('a removal that a crash cut off is finished at the next start', async () => {
  const { mountpoint, ...rest } = await volumes.create(ctx, { name: 'half' });
  writeFileSync(join(mountpoint, 'old'), 'x');
  const record = { ...rest, mountpoint, removing: true } as const;
  await storage.records.commit([{ op: 'put', kind: 'volume', id: 'half', record }]);
  const reopened = await open();
  assert.equal(reopened.find('half'), undefined);
  const { mountpoint: fresh } = await reopened.create(ctx, { name: 'half' });
  assert.deepEqual(readdirSync(fresh), []);
});
