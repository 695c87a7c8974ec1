import { backgroundCtx } from '../../core/ctx.ts';
import { attestations } from './attestations.ts';
import { collect } from './collect.ts';
import { collectGarbage, findOrphans } from './gc.ts';
import { copy, putManifest } from './copy.ts';
import type { Collecting, ImageServiceDeps, Room } from './deps.ts';
import { distribution, domainOf, rawManifest } from './distribution.ts';
import { commit, importImage } from './import.ts';
import { keepDownloads, keptDownloadsMs } from './keep-downloads.ts';
import { Leases } from './leases.ts';
import { explore } from './explore.ts';
import { history, inspect, list, usage } from './list.ts';
import { load } from './load.ts';
import { pull } from './pull.ts';
import { push } from './push.ts';
import { prune } from './prune.ts';
import { remove, tag } from './remove.ts';
import { save } from './save.ts';
import { search } from './search.ts';
import { Gate, SharedWork } from './shared-work.ts';
import { ImageStore } from './store.ts';
import type { ImageService } from './types.ts';
import { watchDisk } from './watch-disk.ts';

const concurrentDownloads = 3;
const noCollecting: Collecting = {
  policy: { high: undefined, low: 0, keepBlobs: 'always' },
  diskUse: () => Promise.resolve({ total: 0, free: 0 }),
};
const concurrentUploads = 5;
const concurrentSmall = 8;
const concurrentFollowers = 1;

/**
 * Reads the records and builds the service. Layers that no image names are removed first: they are what an earlier
 * daemon left half-way, never synced, and must not be taken for whole ones.
 */
export async function openImages(deps: ImageServiceDeps): Promise<ImageService> {
  const store = new ImageStore(deps.records, deps.platform);
  await store.open();
  const room: Room = {
    ...deps,
    store,
    leases: new Leases(),
    downloads: new SharedWork(),
    growing: new Map(),
    gate: new Gate(deps.concurrentDownloads ?? concurrentDownloads),
    uploadGate: new Gate(deps.concurrentUploads ?? concurrentUploads),
    smallGate: new Gate(concurrentSmall),
    followers: new Gate(concurrentFollowers),
    collecting: deps.collecting ?? noCollecting,
  };
  try {
    await keepDownloads(room, backgroundCtx(deps.log));
    await collectGarbage(room, backgroundCtx(deps.log));
  } catch (error) {
    deps.log.error('collecting unused layers failed', { error });
  }
  const watch = watchDisk(room);
  /** What brings something in has the disk looked at when it is done. */
  const after = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } finally {
      watch.poke();
    }
  };
  return {
    resolve: (reference, platform) => store.resolve(reference, platform),
    find: (reference, platform) => store.find(reference, platform),
    get: (id) => store.get(id),
    topLayer: (record) => record.layers.at(-1)?.chainId,
    list: (input) => list(room, input),
    inspect: (reference, input) => inspect(room, reference, input),
    history: (reference, platform) => history(room, reference, platform),
    attestations: (reference, input) => attestations(room, reference, input),
    explore: (ctx, reference, input) => explore(room, ctx, reference, input),
    tag: (_ctx, reference, target) => tag(room, reference, target),
    remove: (ctx, reference, options) => remove(room, ctx, reference, options),
    prune: (ctx, filters) => prune(room, ctx, filters),
    pull: (ctx, input, onProgress) => after(pull(room, ctx, input, onProgress)),
    push: (ctx, input, onProgress) => push(room, ctx, input, onProgress),
    load: (ctx, input, onProgress) => after(load(room, ctx, input, onProgress)),
    import: (ctx, input, onProgress) => after(importImage(room, ctx, input, onProgress)),
    save: (ctx, references, platforms) => save(room, ctx, references, platforms),
    commit: (ctx, input) => after(commit(room, ctx, input)),
    usage: () => usage(room),
    distribution: (ctx, reference, credentials) => distribution(room, ctx, reference, credentials),
    search: (ctx, input) => search(room, ctx, input),
    copy: (ctx, input, onProgress) => copy(room, ctx, input, onProgress),
    rawManifest: (ctx, reference, credentials) => rawManifest(room, ctx, reference, credentials),
    putManifest: (ctx, input) => putManifest(room, ctx, input),
    login: (ctx, serverAddress, credentials) =>
      deps.registry.login(ctx, domainOf(serverAddress), credentials),
    orphans: () => findOrphans(room),
    collect: (ctx, input) => collect(room, ctx, input),
    settled: () => watch.idle(),
    collectGarbage: async (ctx) => {
      await room.blobs.dropPartials(keptDownloadsMs);
      return collectGarbage(room, ctx);
    },
  };
}
