/** What an earlier daemon had fetched and no image names yet: the next pull of it goes on from there. */

import type { Ctx } from '../../core/ctx.ts';
import type { Room } from './deps.ts';
import { findOrphans } from './gc.ts';

/** What nobody went on with for a day goes. */
export const keptDownloadsMs = 24 * 60 * 60 * 1000;
/** Smaller blobs are fetched again in no time. */
const worthKeeping = 1 << 20;

/** To be called at start, before the first collection of garbage. */
export async function keepDownloads(room: Room, ctx: Ctx): Promise<void> {
  await room.blobs.dropPartials(keptDownloadsMs);
  const { blobs } = await findOrphans(room);
  for (const digest of blobs) {
    const size = (await room.blobs.has(digest))?.size ?? 0;
    if (size >= worthKeeping) await room.blobs.setAside(digest);
  }
  ctx.log.debug('looked for downloads to go on with', { blobs });
}
