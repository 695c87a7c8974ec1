/**
 * `--storage-opt size=` on filesystems that count: quotas of projects on xfs and ext4. Kernels without quotas run the same tests in
 * the virtual machine.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isFull } from '../../src/core/errors.ts';
import { openProjectQuotas } from '../../src/host/index.ts';
import { openOverlay2, openVfs } from '../../src/storage/index.ts';
import { mebi, mountDisk, type DiskOptions, type SmallDisk } from '../helpers/small-disk.ts';
import { openStorage, type Storage } from '../images/engine.ts';

const disks: Readonly<Record<'xfs' | 'ext4', DiskOptions>> = {
  xfs: { bytes: 300 * mebi, mount: 'prjquota' },
  ext4: { bytes: 96 * mebi, mount: 'prjquota', make: ['-O', 'quota,project', '-E', 'quotatype=prjquota'] },
};

function mountCounting(t: TestContext, kind: keyof typeof disks): SmallDisk | undefined {
  try {
    return mountDisk(kind, disks[kind]);
  } catch (error) {
    // The kernel was built without them; anything else is a failure.
    const log = execFileSync('dmesg').toString();
    assert.match(
      log,
      /quota support not available|not built with CONFIG_QUOTA|CONFIG_QFMT_V2/,
      String(error),
    );
    t.skip(`this kernel has no quotas on ${kind}: the virtual machine's has`);
    return undefined;
  }
}

/** Projects with a limit, as xfs_quota tells it. */
function limited(disk: SmallDisk): string[] {
  const report = execFileSync('xfs_quota', ['-f', '-x', '-c', 'report -p -n -b', disk.path]).toString();
  return report.split('\n').flatMap((line) => {
    const [, project, , , hard] = /^#(\d+)\s+(\d+)\s+(\d+)\s+(\d+)/.exec(line) ?? [];
    return project === undefined || hard === '0' ? [] : [project];
  });
}

let opened: Storage[] = [];
async function open(root: string, driver: typeof openOverlay2): Promise<Storage> {
  const storage = await openStorage(root, (deps, at) =>
    driver({ ...deps, limits: openProjectQuotas(at) }, at),
  );
  opened.push(storage);
  return storage;
}
async function close(storage: Storage): Promise<void> {
  opened = opened.filter((each) => each !== storage);
  await storage.close();
}
/** Of a test that failed, too: threads that are left would keep the process alive, mounts the disk. */
async function closeAll(disk: SmallDisk): Promise<void> {
  for (const storage of opened) {
    const { snapshots } = await storage.snapshots.list();
    for (const key of snapshots) await storage.snapshots.unmount(key);
    await close(storage);
  }
  disk.close();
}

for (const kind of ['xfs', 'ext4'] as const) {
  test(`${kind}: a snapshot holds what it may, also after a restart, and gives its number back`, async (t) => {
    const disk = mountCounting(t, kind);
    if (disk === undefined) return;
    try {
      const root = mkdtempSync(join(disk.path, 'root-'));
      let storage = await open(root, openOverlay2);
      assert.equal(storage.snapshots.unlimited, undefined);
      for (const key of ['one', 'two']) {
        await storage.snapshots.prepare(key, undefined, { size: 8 * mebi });
        await storage.snapshots.mount(key, { volatile: false });
      }
      await storage.snapshots.prepare('free', undefined);
      await storage.snapshots.mount('free', { volatile: false });
      const numbers = limited(disk);
      assert.equal(new Set(numbers).size, 2);
      const at = (key: string, name: string): string => join(storage.snapshots.mountPath(key), name);
      const { blocks, bsize } = statfsSync(at('one', '.'));
      assert.equal(blocks * bsize, 8 * mebi, 'df shows the limit');
      writeFileSync(at('one', 'part'), Buffer.alloc(5 * mebi, 1));
      assert.throws(() => writeFileSync(at('one', 'more'), Buffer.alloc(8 * mebi, 1)), isFull);
      writeFileSync(at('two', 'part'), Buffer.alloc(5 * mebi, 1));
      writeFileSync(at('free', 'part'), Buffer.alloc(20 * mebi, 1));

      for (const key of ['one', 'two', 'free']) await storage.snapshots.unmount(key);
      await close(storage);
      storage = await open(root, openOverlay2);
      assert.deepEqual(limited(disk), numbers);
      await storage.snapshots.mount('two', { volatile: false });
      assert.throws(() => writeFileSync(at('two', 'more'), Buffer.alloc(8 * mebi, 1)), isFull);
      await storage.snapshots.removeSnapshot('two');
      assert.equal(limited(disk).length, 1);

      // A daemon that was killed before it took a limit back.
      await storage.snapshots.prepare('lost', undefined, { size: mebi });
      assert.equal(limited(disk).length, 2);
      rmSync(join(root, 'overlay2/snapshots/lost'), { recursive: true });
      execFileSync('sync', ['-f', disk.path]);
      await close(storage);
      storage = await open(root, openOverlay2);
      assert.equal(limited(disk).length, 1);
      await storage.snapshots.removeSnapshot('one');
      assert.deepEqual(limited(disk), []);
      await storage.trash.idle();
      await close(storage);
    } finally {
      await closeAll(disk);
    }
  });

  test(`${kind}: a whole tree is limited with what it has from its layers`, async (t) => {
    const disk = mountCounting(t, kind);
    if (disk === undefined) return;
    try {
      const storage = await open(mkdtempSync(join(disk.path, 'root-')), openVfs);
      await storage.snapshots.prepare('one', undefined, { size: 4 * mebi });
      // Root of the host may go beyond a quota of ext4; what writes in a container lacks this capability.
      const file = join(storage.snapshots.mountPath('one'), 'f');
      const write = ['dd', 'if=/dev/zero', `of=${file}`, 'bs=1M', 'count=6'];
      assert.throws(
        () => execFileSync('setpriv', ['--bounding-set=-sys_resource', ...write], { stdio: 'pipe' }),
        /No space left|quota exceeded/i,
      );
      await storage.snapshots.removeSnapshot('one');
      assert.deepEqual(limited(disk), []);
      await close(storage);
    } finally {
      await closeAll(disk);
    }
  });
}

test('a filesystem that does not count is refused in words', () => {
  const disk = mountDisk('ext4', { bytes: 16 * mebi });
  try {
    const found = openProjectQuotas(disk.path);
    assert.ok('missing' in found);
    assert.match(found.missing, /quotas of projects/);
  } finally {
    disk.close();
  }
});
