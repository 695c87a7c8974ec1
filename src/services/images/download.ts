/**
 * One blob from a registry into the content store: large ones in several ranges side by side, gone on with where it broke
 * off (also by an earlier daemon), verified while it comes, shared between pulls.
 */

import type { Ctx } from '../../core/ctx.ts';
import { isKind } from '../../core/errors.ts';
import type { Descriptor } from '../../core/model/image.ts';
import type { PartialBlob } from '../../core/ports/blob-store.ts';
import type { DownloadProgress, Room, Source } from './deps.ts';
import { fetchRanges } from './ranges.ts';

type Report = (progress: DownloadProgress) => void;

/** Blobs below this many bytes cost a round trip and little else: more of them come in at once. */
const smallBlob = 1 << 20;

/** What is worth going on with: the line broke. A full disk wants its room back, a cancelled pull leaves nothing. */
function leaves(ctx: Ctx, error: unknown): 'keep' | 'discard' {
  return isKind(error, 'unavailable') && !ctx.signal.aborted ? 'keep' : 'discard';
}

async function fill(
  room: Room,
  ctx: Ctx,
  source: Source,
  blob: Descriptor,
  partial: PartialBlob,
  report: Report,
): Promise<void> {
  const stop = new AbortController();
  const own: Ctx = { ...ctx, signal: AbortSignal.any([ctx.signal, stop.signal]) };
  let first: { readonly error: unknown } | undefined;
  const failed = (error: unknown): void => {
    first ??= { error };
    stop.abort();
  };
  // Verified while it comes: when the last byte is there, little is left to be done.
  const verified = partial.commit(own).catch(failed);
  try {
    await fetchRanges(room, own, source, blob, partial, report);
  } catch (error) {
    const how = first === undefined ? leaves(ctx, error) : 'discard';
    first ??= { error };
    await partial.close(how);
    stop.abort();
  }
  await verified;
  if (first !== undefined) throw first.error;
}

async function bringIn(
  room: Room,
  ctx: Ctx,
  source: Source,
  blob: Descriptor,
  report: Report,
): Promise<void> {
  for (;;) {
    const partial = await room.blobs.partial(blob.digest, blob.size);
    const kept = partial.present();
    const growing = { growth: partial.growth.shared, movedTo: room.blobs.path(blob.digest) };
    room.growing.set(blob.digest, { file: partial.path, growing });
    try {
      await fill(room, ctx, source, blob, partial, report);
      return;
    } catch (error) {
      // What an earlier daemon left may be damaged (a power cut): then all of it is fetched, once.
      if (kept === 0 || !isKind(error, 'invalid') || ctx.signal.aborted) throw error;
      ctx.log.warn('what was kept of a download is damaged', { digest: blob.digest });
    } finally {
      room.growing.delete(blob.digest);
      await partial.close('discard');
    }
  }
}

/** Makes sure that the blob is in the content store. The caller holds a lease on it. */
export async function download(
  room: Room,
  ctx: Ctx,
  source: Source,
  blob: Descriptor,
  listen: (progress: DownloadProgress) => void,
): Promise<void> {
  const gate = blob.size < smallBlob ? room.smallGate : room.gate;
  await room.downloads.run(ctx, blob.digest, listen, (own, report) =>
    gate.run(async () => {
      if ((await room.blobs.has(blob.digest)) === undefined) await bringIn(room, own, source, blob, report);
    }),
  );
}
