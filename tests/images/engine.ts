/** The image service on real storage in a folder of its own, with a registry client as given. */

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backgroundCtx } from '../../src/core/ctx.ts';
import { EventBus, type EngineEvent } from '../../src/core/events.ts';
import { silentLogger } from '../../src/core/log.ts';
import { encodeHeader, simpleHeader, tarEnd, tarPadding, type TarHeader } from '../../src/core/tar/index.ts';
import type { BlobStore } from '../../src/core/ports/blob-store.ts';
import type { RecordStore } from '../../src/core/ports/record-store.ts';
import type { Registry } from '../../src/core/ports/registry.ts';
import type { SnapshotDriver } from '../../src/core/ports/snapshot-driver.ts';
import { createHost, trimHeap, type KernelHost } from '../../src/host/index.ts';
import { createRegistry, createRemoteFiles } from '../../src/registry/index.ts';
import {
  openImages,
  type ContainerUsage,
  type ImageService,
  type ImageServiceDeps,
} from '../../src/services/images/index.ts';
import {
  openContentStore,
  openOverlay2,
  openSqliteRecords,
  openTrash,
  StorageWorkers,
  type Trash,
} from '../../src/storage/index.ts';

export const attributesUrl = new URL('../../src/host/file-attributes.ts', import.meta.url);
export const ctx = backgroundCtx();

export interface Storage {
  readonly root: string;
  readonly host: KernelHost;
  readonly workers: StorageWorkers;
  readonly trash: Trash;
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly snapshots: SnapshotDriver;
  readonly close: () => Promise<void>;
}

/** `folder`: an existing one (then it stays); else a new one that goes with `close`. */
export async function openStorage(
  folder?: string,
  open: typeof openOverlay2 = openOverlay2,
): Promise<Storage> {
  const root = folder ?? (await mkdtemp(join(tmpdir(), 'slip-images-')));
  const host = createHost();
  const workers = new StorageWorkers({ attributesUrl, onThreadEnd: trimHeap });
  const trash = await openTrash({ workers, log: silentLogger }, join(root, 'trash'));
  const records = await openSqliteRecords({ path: join(root, 'state.db') });
  const blobs = await openContentStore({ workers }, join(root, 'content'));
  const snapshots = await open({ host, workers, trash, log: silentLogger }, root);
  const close = async (): Promise<void> => {
    const { snapshots: keys } = await snapshots.list();
    for (const key of keys) await snapshots.unmount(key);
    await snapshots.settle();
    await records.close();
    await trash.close();
    await workers.close();
    await host.close();
    if (folder === undefined) await rm(root, { recursive: true, force: true });
  };
  return { root, host, workers, trash, records, blobs, snapshots, close };
}

export interface Engine extends Storage {
  readonly images: ImageService;
  readonly events: EngineEvent[];
  /** What the containers are said to use. */
  readonly used: ContainerUsage[];
}

export async function openEngine(
  options: {
    registry?: Registry;
    folder?: string;
    collecting?: ImageServiceDeps['collecting'];
    trustPolicy?: ImageServiceDeps['trustPolicy'];
  } = {},
): Promise<Engine> {
  const storage = await openStorage(options.folder);
  const bus = new EventBus();
  const events: EngineEvent[] = [];
  bus.subscribe((event) => void events.push(event));
  const used: ContainerUsage[] = [];
  const images = await openImages({
    records: storage.records,
    blobs: storage.blobs,
    snapshots: storage.snapshots,
    registry: options.registry ?? createRegistry(),
    remoteFiles: createRemoteFiles(),
    events: bus,
    log: silentLogger,
    containers: () => used,
    platform: { os: 'linux', architecture: 'amd64' },
    retryDelayMs: 1,
    ...(options.collecting !== undefined && { collecting: options.collecting }),
    ...(options.trustPolicy !== undefined && { trustPolicy: options.trustPolicy }),
  });
  return { ...storage, images, events, used };
}

/** All that images left on disk and in the records. */
export async function stateOf(engine: Storage): Promise<unknown> {
  const [records, blobs, lists, links, staging, ingest, partial] = await Promise.all([
    engine.records.list('image'),
    engine.blobs.list(),
    engine.snapshots.list(),
    readdir(join(engine.root, 'overlay2/l')),
    readdir(join(engine.root, 'overlay2/staging')),
    readdir(join(engine.root, 'content/ingest')),
    readdir(join(engine.root, 'content/partial')),
  ]);
  return { records, blobs, lists, links: links.sort(), staging, ingest, partial };
}

export interface File extends Partial<TarHeader> {
  readonly name: string;
  /** One char a byte. */
  readonly text?: string;
}

/** A tar archive of small files. */
export function tarOf(files: readonly File[]): Buffer {
  return Buffer.concat([
    ...files.flatMap(({ name, text = '', ...rest }) => {
      const data = Buffer.from(text, 'latin1');
      return [
        encodeHeader(simpleHeader(name, { size: data.length, ...rest })),
        data,
        tarPadding(data.length),
      ];
    }),
    tarEnd,
  ]);
}
