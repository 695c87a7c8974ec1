/** The contract suites of storage, on the real kernel. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { after, before } from 'node:test';
import { join } from 'node:path';
import { isErrno } from '../../src/core/errors.ts';
import { subvolumes } from '../../src/host/index.ts';
import { openBtrfs, openLocalVolumes, openOverlay2, openVfs } from '../../src/storage/index.ts';
import { blobStoreContract } from '../contracts/blob-store.contract.ts';
import { snapshotDriverContract, type SnapshotHarness } from '../contracts/snapshot-driver.contract.ts';
import { volumeDriverContract } from '../contracts/volume-driver.contract.ts';
import { openStorage, type Storage } from '../images/engine.ts';

blobStoreContract('content store', async () => {
  const storage = await openStorage();
  return { store: storage.blobs, close: storage.close };
});

const drivers = { overlay2: openOverlay2, vfs: openVfs };
for (const [name, open] of Object.entries(drivers))
  snapshotDriverContract(name, async () => harness(await openStorage(undefined, open)));

/** btrfs in a file. */
let disk = '';
before(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slip-btrfs-'));
  const image = join(folder, 'image');
  disk = join(folder, 'disk');
  await mkdir(disk);
  await writeFile(image, '');
  await truncate(image, 256 << 20);
  execFileSync('mkfs.btrfs', ['-q', image]);
  execFileSync('mount', ['-o', 'loop', image, disk]);
});
after(async () => {
  execFileSync('umount', [disk]);
  await rm(join(disk, '..'), { recursive: true });
});

async function onBtrfs(): Promise<SnapshotHarness> {
  const root = await mkdtemp(join(disk, 'root-'));
  const storage = await openStorage(root, (deps, at) => openBtrfs({ ...deps, subvolumes }, at));
  const close = async (): Promise<void> => {
    await storage.trash.idle();
    const left = await readdir(join(root, 'trash'));
    await storage.close();
    assert.deepEqual(left, []);
  };
  return harness({ ...storage, close });
}
snapshotDriverContract('btrfs', onBtrfs);

function harness(storage: Storage): SnapshotHarness {
  const { snapshots: driver } = storage;
  let count = 0;
  return {
    driver,
    write: (key, path, text) => writeFile(join(driver.mountPath(key), path), text),
    remove: (key, path) => rm(join(driver.mountPath(key), path)),
    read: async (key, path) => {
      try {
        return await readFile(join(driver.mountPath(key), path), 'utf8');
      } catch (error) {
        if (isErrno(error, 'ENOENT')) return undefined;
        throw error;
      }
    },
    file: async (data) => {
      const path = join(storage.root, `archive${++count}`);
      await writeFile(path, data);
      return path;
    },
    close: storage.close,
  };
}

volumeDriverContract('local', async () => {
  const storage = await openStorage();
  const driver = await openLocalVolumes(storage, storage.root);
  const data = (name: string): string => join(storage.root, 'volumes', name, '_data');
  return {
    driver,
    look: async (name) => (await readdir(data(name))).sort(),
    write: (name, file, text) => writeFile(join(data(name), file), text),
    source: async (files) => {
      const folder = join(storage.root, 'source');
      await mkdir(folder);
      for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
      return folder;
    },
    close: storage.close,
  };
});
