import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { Descriptor, ImageRecord } from '../../core/model/image.ts';
import { createMemoryRecords } from '#tests/contracts/fakes/memory-records.ts';
import { ImageStore, planTag } from './store.ts';

const digest = (char: string): string => `sha256:${char.repeat(64)}`;
const index = (char: string): Descriptor => ({ mediaType: '', digest: digest(char), size: 1 });

function image(char: string, architecture: string, more: Partial<ImageRecord> = {}): ImageRecord {
  return {
    id: digest(char),
    config: { os: 'linux', architecture, rootfs: { type: 'layers', diff_ids: [] } },
    layers: [],
    tags: [],
    repoDigests: [],
    importedAt: '2024-01-01T00:00:00Z',
    lastTaggedAt: '2024-01-01T00:00:00Z',
    ...more,
  };
}

const app = 'docker.io/library/app:v1';
let store: ImageStore;
const put = (record: ImageRecord, tags: readonly string[] = []): Promise<void> =>
  store.change(() => planTag(store, record, tags, '2024-01-02T00:00:00Z'));

beforeEach(() => {
  store = new ImageStore(createMemoryRecords(), { os: 'linux', architecture: 'amd64' });
});

test('platforms of one index share a tag, and the host’s own is what the name means', async () => {
  await put(image('a', 'arm64', { index: index('1') }), [app]);
  assert.equal(store.resolve('app:v1').id, digest('a'));
  await put(image('b', 'amd64', { index: index('1') }), [app]);
  assert.equal(store.resolve('app:v1').id, digest('b'));
  assert.equal(store.resolve('app:v1', { os: 'linux', architecture: 'arm64' }).id, digest('a'));
  assert.equal(store.resolve(digest('b'), { os: 'linux', architecture: 'arm64' }).id, digest('a'));
  assert.deepEqual(
    store.siblings(store.resolve('app:v1')).map(({ id }) => id),
    [digest('b'), digest('a')],
  );
  assert.throws(() => store.resolve('app:v1', { os: 'linux', architecture: 's390x' }), {
    kind: 'notFound',
    message:
      'image with reference app:v1 was found but does not provide the specified platform (linux/s390x)',
  });
});

test('a tag that moves leaves every platform of the old index', async () => {
  await put(image('a', 'arm64', { index: index('1') }), [app]);
  await put(image('b', 'amd64', { index: index('1') }), [app]);
  await put(image('c', 'amd64', { index: index('2') }), [app]);
  assert.deepEqual(
    store.named(app).map(({ id }) => id),
    [digest('c')],
  );
  assert.deepEqual(store.get(digest('a'))?.tags, []);
  assert.deepEqual(store.get(digest('b'))?.tags, []);
});

test('an image that comes again with a newer index leaves the other platforms of the old one', async () => {
  await put(image('a', 'arm64', { index: index('1') }), [app]);
  await put(image('b', 'amd64', { index: index('1') }), [app]);
  await put({ ...image('b', 'amd64', { index: index('2') }), tags: [app] }, [app]);
  assert.deepEqual(
    store.named(app).map(({ id }) => id),
    [digest('b')],
  );
});

test('a digest names an image, and goes with it', async () => {
  const pinned = `docker.io/library/app@${digest('9')}`;
  await put(image('a', 'amd64', { repoDigests: [pinned] }), [app]);
  assert.equal(store.resolve(`app@${digest('9')}`).id, digest('a'));
  await store.change(() => [{ remove: digest('a') }]);
  assert.equal(store.find(`app@${digest('9')}`), undefined);
  assert.equal(store.find('app:v1'), undefined);
});
