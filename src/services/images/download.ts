/** One blob from a registry into the content store: resumed where it broke off, verified, shared between pulls. */

import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { Ctx } from '../../core/ctx.ts';
import { SlipwayError, invalid, toSlipwayError, unavailable } from '../../core/errors.ts';
import type { Descriptor } from '../../core/model/image.ts';
import type { RegistryCredentials, Repository } from '../../core/ports/registry.ts';
import type { DownloadProgress, Room } from './deps.ts';

export interface Source {
  readonly repository: Repository;
  readonly credentials: RegistryCredentials | undefined;
}

/** Attempts in a row that bring nothing. */
const maxAttempts = 5;

/** Errors that another attempt may mend: the line or the server, never a refusal. */
function isPassing(error: unknown): boolean {
  return !(error instanceof SlipwayError) || error.kind === 'unavailable' || error.kind === 'internal';
}

async function* chunks(
  room: Room,
  ctx: Ctx,
  source: Source,
  blob: Descriptor,
  report: (progress: DownloadProgress) => void,
): AsyncGenerator<Buffer> {
  let received = 0;
  let attempt = 0;
  for (;;) {
    try {
      const body = await room.registry.blob(ctx, source.repository, blob, source.credentials, received);
      for await (const chunk of body) {
        received += (chunk as Buffer).length;
        // A server that sends more than it promised is not asked again.
        if (received > blob.size)
          throw invalid(`unexpected size of ${blob.digest}: more than ${blob.size} bytes`);
        attempt = 0;
        report({ is: 'bytes', received });
        yield chunk as Buffer;
      }
      if (received === blob.size) return;
      throw unavailable(`unexpected EOF: ${received} of ${blob.size} bytes`);
    } catch (error) {
      if (ctx.signal.aborted) throw unavailable('context canceled');
      if (!isPassing(error)) throw error;
      if (++attempt >= maxAttempts)
        throw unavailable(
          `download of ${blob.digest} failed after ${maxAttempts} attempts: ${toSlipwayError(error).message}`,
          error,
        );
      const delay = (room.retryDelayMs ?? 1000) * 2 ** (attempt - 1);
      ctx.log.warn('download broke off', { digest: blob.digest, attempt, error });
      report({ is: 'retry', seconds: Math.ceil(delay / 1000) });
      await pause(delay, undefined, { signal: ctx.signal }).catch(() => {});
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
  await room.downloads.run(ctx, blob.digest, listen, (own, report) =>
    room.gate.run(async () => {
      if ((await room.blobs.has(blob.digest)) !== undefined) return;
      const stream = Readable.from(chunks(room, own, source, blob, report), { objectMode: false });
      await room.blobs.ingest(own, stream, { digest: blob.digest, size: blob.size });
    }),
  );
}
