import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blobStoreContract } from './blob-store.contract.ts';
import { createMemoryBlobs } from './fakes/memory-blobs.ts';
import { createMemorySnapshots } from './fakes/memory-snapshots.ts';
import { createMemoryVolumes } from './fakes/memory-volumes.ts';
import { snapshotDriverContract } from './snapshot-driver.contract.ts';
import { volumeDriverContract } from './volume-driver.contract.ts';

const nothing = async (): Promise<void> => {};

blobStoreContract('fake', async () => ({ store: createMemoryBlobs(), close: nothing }));

snapshotDriverContract('fake', async () => {
  const driver = createMemorySnapshots();
  const folder = await mkdtemp(join(tmpdir(), 'slip-fake-'));
  let count = 0;
  return {
    driver,
    write: async (key, path, text) => driver.write(key, path, text),
    remove: async (key, path) => driver.erase(key, path),
    read: async (key, path) => driver.look(key, path),
    file: async (data) => {
      const path = join(folder, String(++count));
      await writeFile(path, data);
      return path;
    },
    close: () => rm(folder, { recursive: true }),
  };
});

volumeDriverContract('fake', async () => {
  const driver = createMemoryVolumes();
  const folder = await mkdtemp(join(tmpdir(), 'slip-fake-'));
  return {
    driver,
    look: async (name) => [...(driver.files.get(name)?.keys() ?? [])].sort(),
    write: async (name, file, text) => void driver.files.get(name)?.set(file, text),
    source: async (files) => {
      for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
      return folder;
    },
    close: () => rm(folder, { recursive: true }),
  };
});
