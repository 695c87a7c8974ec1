/** The contract suites of storage, on the real kernel. */

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../../src/core/errors.ts';
import { openLocalVolumes, openOverlay2, openVfs } from '../../src/storage/index.ts';
import { blobStoreContract } from '../contracts/blob-store.contract.ts';
import { snapshotDriverContract, type SnapshotHarness } from '../contracts/snapshot-driver.contract.ts';
import { volumeDriverContract } from '../contracts/volume-driver.contract.ts';
import { openStorage } from '../images/engine.ts';

blobStoreContract('content store', async () => {
  const storage = await openStorage();
  return { store: storage.blobs, close: storage.close };
});

const drivers = { overlay2: openOverlay2, vfs: openVfs };
for (const [name, open] of Object.entries(drivers)) snapshotDriverContract(name, () => harness(open));

async function harness(open: typeof openOverlay2): Promise<SnapshotHarness> {
  const storage = await openStorage(undefined, open);
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
