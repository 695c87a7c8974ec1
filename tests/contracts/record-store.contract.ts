/** What every record store must do. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VolumeRecord } from '../../src/core/model/volume.ts';
import type { RecordStore } from '../../src/core/ports/record-store.ts';

const volume = (name: string, labels: Record<string, string> = {}): VolumeRecord => ({
  name,
  driver: 'local',
  options: {},
  labels,
  createdAt: '2026-01-01T00:00:00Z',
  mountpoint: `/v/${name}/_data`,
  anonymous: false,
});
const put = (name: string, labels?: Record<string, string>) =>
  ({ op: 'put', kind: 'volume', id: name, record: volume(name, labels) }) as const;

export function recordStoreContract(name: string, open: () => Promise<RecordStore>): void {
  const withStore = (what: string, body: (store: RecordStore) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const store = await open();
      try {
        await body(store);
      } finally {
        await store.close();
      }
    });
  };

  withStore('lists what was put, by kind', async (store) => {
    assert.deepEqual(await store.list('volume'), []);
    await store.commit([put('b'), put('a')]);
    await store.commit([{ op: 'put', kind: 'meta', id: 'engine', record: { id: 'x' } }]);
    assert.deepEqual(await store.list('volume'), [volume('a'), volume('b')]);
    assert.deepEqual(await store.list('meta'), [{ id: 'x' }]);
    assert.deepEqual(await store.list('container'), []);
  });

  withStore('replaces, deletes, and deletes what is not there', async (store) => {
    await store.commit([put('a')]);
    await store.commit([put('a', { k: 'v' }), { op: 'delete', kind: 'volume', id: 'zz' }]);
    assert.deepEqual(await store.list('volume'), [volume('a', { k: 'v' })]);
    await store.commit([put('b'), { op: 'delete', kind: 'volume', id: 'a' }]);
    assert.deepEqual(await store.list('volume'), [volume('b')]);
  });

  withStore('takes changes in order, also within one commit and for commits not awaited', async (store) => {
    const many = Array.from({ length: 200 }, (_, i) => store.commit([put('a', { n: String(i) })]));
    const seen = store.list('volume');
    await Promise.all(many);
    assert.deepEqual(await seen, [volume('a', { n: '199' })]);
    await store.commit([put('a'), { op: 'delete', kind: 'volume', id: 'a' }]);
    assert.deepEqual(await store.list('volume'), []);
  });

  withStore('keeps a record as it was when handed in', async (store) => {
    const labels: Record<string, string> = { k: 'before' };
    const commit = store.commit([put('a', labels)]);
    labels['k'] = 'after';
    await commit;
    const [stored] = await store.list('volume');
    assert.equal(stored?.labels['k'], 'before');
    const again = await store.list('volume');
    assert.notEqual(again[0], stored);
  });

  withStore('takes keys and text that need care', async (store) => {
    const odd = JSON.parse('{"__proto__":"p","a\\"b":"é 😀 \\u0000"}') as Record<string, string>;
    await store.commit([put('a', odd)]);
    const [stored] = await store.list('volume');
    assert.deepEqual(Object.entries(stored?.labels ?? {}), Object.entries(odd));
  });

  withStore('a commit that cannot be encoded changes nothing', async (store) => {
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    await assert.rejects(store.commit([put('a'), { op: 'put', kind: 'meta', id: 'm', record: loop }]));
    assert.deepEqual(await store.list('volume'), []);
    assert.deepEqual(await store.damaged(), []);
  });

  test(`${name}: refuses calls after close`, async () => {
    const store = await open();
    await store.close();
    await assert.rejects(store.list('volume'), /closed/);
    await assert.rejects(store.commit([put('a')]), /closed/);
  });
}
