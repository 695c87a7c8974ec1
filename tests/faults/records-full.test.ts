/**
 * Records on disks without a free block, where somebody takes every block that is given back: deleting, changes of state and
 * reading work, also after clean stops and for hundreds of rounds; only what adds a record is refused.
 */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { makeInPlaceFile } from '../../src/host/index.ts';
import { openSqliteRecords } from '../../src/storage/index.ts';
import type { RecordStore } from '../../src/core/ports/record-store.ts';
import type { VolumeRecord } from '../../src/core/model/volume.ts';
import { mebi, mountDisk, type DiskKind, type DiskOptions } from '../helpers/small-disk.ts';
import { eventually } from '../scenarios/engine.ts';

const record = (name: string, size: number, state: string): VolumeRecord => ({
  name,
  driver: 'local',
  options: { state },
  labels: { long: 'x'.repeat(size) },
  createdAt: '2026-01-01T00:00:00Z',
  mountpoint: `/v/${name}/_data`,
  anonymous: false,
});
const put = (name: string, size: number, state = '') =>
  ({ op: 'put', kind: 'volume', id: name, record: record(name, size, state) }) as const;
const sizeOf = (index: number): number => (index * 977) % 9000;
const count = 150;

let news = 0;
async function refused(store: RecordStore): Promise<boolean> {
  try {
    await store.commit([put(`new-${news++}`, 3000)]);
    return false;
  } catch (error) {
    assert.match(String(error), /write .*state\.db: no space left on device/);
    return true;
  }
}

const disks: readonly [DiskKind, DiskOptions, number][] = [
  ['ext4', { bytes: 24 * mebi }, 12],
  ['xfs', { bytes: 300 * mebi }, 6],
  // A sync takes long there when the disk is full.
  ['btrfs', { bytes: 128 * mebi }, 3],
  ['tmpfs', { bytes: 16 * mebi }, 12],
];

for (const [kind, options, rounds] of disks) {
  test(`${kind}: what frees room, and changes of state, work on a disk without a free block`, async () => {
    const disk = mountDisk(kind, options);
    const path = join(disk.path, 'state.db');
    const open = (): Promise<RecordStore> => openSqliteRecords({ path, makeInPlaceFile });
    let store = await open();
    try {
      for (let i = 0; i < count; i++) await store.commit([put(`v${i}`, sizeOf(i))]);
      // What is kept is laid in a lull.
      await pause(1200);
      disk.fill();
      const greedy = disk.greedy();
      try {
        await eventually('records are refused', () => refused(store).then((is) => is || undefined));
        const left = new Map(Array.from({ length: count }, (_none, i) => [`v${i}`, sizeOf(i)]));
        for (let round = 0; round < rounds; round++) {
          const state = `round ${round}${' longer'.repeat(round)}`;
          await Promise.all([...left].map(([name, size]) => store.commit([put(name, size, state)])));
          for (const [name] of [...left].slice(0, 8)) {
            await store.commit([{ op: 'delete', kind: 'volume', id: name }]);
            left.delete(name);
          }
          await refused(store);
          if (round % 3 === 2) {
            await store.close();
            await pause(20);
            store = await open();
          }
          const names = (await store.list('volume')).filter(({ name }) => name.startsWith('v'));
          assert.deepEqual(names.map(({ name }) => name).sort(), [...left.keys()].sort());
          for (const each of names) assert.equal(each.options['state'], state);
        }
        await Promise.all([...left.keys()].map((id) => store.commit([{ op: 'delete', kind: 'volume', id }])));
      } finally {
        await greedy.stop();
      }
      assert.ok(disk.free() < mebi);
      disk.clear();
      await eventually('there is room again', () => refused(store).then((is) => !is || undefined));
    } finally {
      await store.close();
      disk.close();
    }
  });
}
