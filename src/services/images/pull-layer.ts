/** One layer of a pull: fetched, and unpacked while it still comes in. */

import type { Ctx } from '../../core/ctx.ts';
import { unavailable } from '../../core/errors.ts';
import { Growth } from '../../core/growth.ts';
import { shortId } from '../../core/ids.ts';
import { chainIdOf, type Descriptor, type ImageLayer } from '../../core/model/image.ts';
import { allOrNone } from './all-or-none.ts';
import { unpackLayer } from './assemble.ts';
import type { DownloadProgress, GrowingBlob, Room, Source } from './deps.ts';
import { download } from './download.ts';
import { hasContent } from './layer-content.ts';
import type { Lease } from './leases.ts';
import { createMeter } from './progress.ts';
import type { OnProgress } from './types.ts';

interface LayerPlace {
  readonly blob: Descriptor;
  readonly diffId: string;
  readonly chainId: string;
  readonly parent: string | undefined;
  /** Settled when the layer below is there; undefined for the lowest. */
  readonly parentReady?: Promise<unknown> | undefined;
}

/** Smaller blobs are there before it would pay to begin. */
const worthFollowing = 4 << 20;
/** Milliseconds between looks at how far a layer is unpacked. */
const extractingMs = 100;

type Say = (status: string) => void;

function listener(onProgress: OnProgress, say: Say, blob: Descriptor): (progress: DownloadProgress) => void {
  const meter = createMeter(onProgress, 'Downloading', blob.digest, blob.size);
  return (progress) => {
    if (progress.is === 'bytes') meter.set(progress.received);
    else say(`Retrying in ${progress.seconds} second${progress.seconds === 1 ? '' : 's'}`);
  };
}

/** Unpacks what is still coming in; a failure only means that it has to be done again from the whole file. */
async function follow(
  room: Room,
  ctx: Ctx,
  layer: LayerPlace,
  blob: GrowingBlob & { readonly read: SharedArrayBuffer },
): Promise<void> {
  const { diffId, parent, parentReady } = layer;
  const below = parentReady === undefined ? {} : { parentReady };
  await room.followers.tryRun(async () => {
    await room.snapshots.unpackFile(ctx, { ...blob, ...below, parent, diffId });
  });
}

/** Shows now and then how far a layer is unpacked, until the returned function is called. */
function watchExtracting(onProgress: OnProgress, blob: Descriptor, read: Growth): () => void {
  const meter = createMeter(onProgress, 'Extracting', blob.digest, blob.size);
  const show = (): void => meter.set(Math.min(read.bytes, blob.size));
  show();
  const timer = setInterval(show, extractingMs).unref();
  return () => clearInterval(timer);
}

/**
 * Fetches the blob, and unpacks it meanwhile as soon as there is something of it. The download decides: what the unpacking
 * finds wrong is found again, and told, when it is done from the whole and verified blob. `onFetched` is called in between,
 * when the blob is there and some of it is still to be unpacked.
 */
async function fetchAndFollow(
  room: Room,
  ctx: Ctx,
  source: Source,
  layer: LayerPlace,
  listen: (progress: DownloadProgress) => void,
  read: Growth,
  onFetched: () => void,
): Promise<void> {
  const { blob } = layer;
  const stop = new AbortController();
  const own: Ctx = { ...ctx, signal: AbortSignal.any([ctx.signal, stop.signal]) };
  let following: Promise<void> | undefined;
  try {
    await download(room, ctx, source, blob, (progress) => {
      listen(progress);
      const growing = room.growing.get(blob.digest);
      if (following !== undefined || growing === undefined || blob.size < worthFollowing) return;
      following = follow(room, own, layer, { ...growing, read: read.shared }).catch((error: unknown) => {
        ctx.log.debug('unpacking a layer on its way failed', { digest: blob.digest, error });
      });
    });
    onFetched();
  } catch (error) {
    stop.abort();
    throw error;
  } finally {
    await following;
  }
}

async function pullLayer(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  source: Source,
  layer: LayerPlace,
  onProgress: OnProgress,
): Promise<ImageLayer> {
  const { blob, chainId } = layer;
  const id = shortId(blob.digest);
  const say: Say = (status) => onProgress({ status, progressDetail: {}, id });
  await lease.layer(chainId);
  await lease.blob(blob.digest);
  const there = await room.snapshots.layer(chainId);
  if (there !== undefined && (await hasContent(room, { ...layer, size: there.size }))) {
    say('Already exists');
    return unpackLayer(room, ctx, lease, layer);
  }
  say('Pulling fs layer');
  const listen = listener(onProgress, say, blob);
  const read = new Growth();
  let stopWatching = (): void => {};
  const onFetched = (): void => {
    say('Verifying Checksum');
    say('Download complete');
    stopWatching = watchExtracting(onProgress, blob, read);
  };
  try {
    if (there === undefined) await fetchAndFollow(room, ctx, source, layer, listen, read, onFetched);
    else {
      await download(room, ctx, source, blob, listen);
      onFetched();
    }
    const done = await unpackLayer(room, ctx, lease, { ...layer, read: read.shared });
    stopWatching();
    createMeter(onProgress, 'Extracting', blob.digest, blob.size).set(blob.size);
    say('Pull complete');
    return done;
  } finally {
    stopWatching();
  }
}

/** All layers of an image, side by side; each waits for the one below before it is put on top of it. */
export async function pullLayers(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  source: Source,
  image: { readonly blobs: readonly Descriptor[]; readonly diffIds: readonly string[] },
  onProgress: OnProgress,
): Promise<ImageLayer[]> {
  let parent: string | undefined;
  let parentReady: Promise<unknown> | undefined;
  const tasks = image.blobs.map((blob, index) => {
    const diffId = image.diffIds[index] ?? '';
    const chainId = chainIdOf(parent, diffId);
    const place = { blob, diffId, chainId, parent, parentReady };
    const ready = Promise.withResolvers<void>();
    // Whoever waits for it is told; a layer that nobody stands on may fail alone.
    ready.promise.catch(() => {});
    parent = chainId;
    parentReady = ready.promise;
    return async (own: Ctx): Promise<ImageLayer> => {
      try {
        const layer = await pullLayer(room, own, lease, source, place, onProgress);
        ready.resolve();
        return layer;
      } catch (error) {
        ready.reject(unavailable('context canceled', error));
        throw error;
      }
    };
  });
  return await allOrNone(ctx, tasks);
}
