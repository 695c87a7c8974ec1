/** What an upload sends: parts of a file, of a stream, or of a blob that another repository has. */

import { Transform, type Readable } from 'node:stream';
import type { Ctx } from '../core/ctx.ts';
import { SlipwayError } from '../core/errors.ts';
import type { Descriptor } from '../core/model/image.ts';
import type { ByteRange } from '../core/ports/blob-store.ts';
import type { BlobSource, Repository } from '../core/ports/registry.ts';
import { repositoryName } from '../core/reference.ts';
import type { Body } from './http.ts';
import type { FarAnswer } from './transfer/transfer-thread.ts';

type Elsewhere = Extract<BlobSource, { repository: Repository }>;

export interface Fetched {
  /** Where in the blob it begins. */
  readonly from: number;
  /** False when all of the blob comes. */
  readonly isRange: boolean;
  readonly message: Pick<FarAnswer, 'handOn' | 'cancel'>;
}

/** A blob, or a range of it, from another repository. */
export type Fetch = (
  ctx: Ctx,
  source: Elsewhere,
  blob: Descriptor,
  range: ByteRange | undefined,
) => Promise<Fetched>;

/** The repository that a blob comes from only hands out all of it. */
export class NoParts extends SlipwayError {
  constructor(repository: Repository) {
    super('invalid', `the registry of ${repositoryName(repository)} cannot send parts of a blob`);
  }
}

function counted(source: Readable, onProgress: (bytes: number) => void): Readable {
  let sent = 0;
  const meter = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      sent += chunk.length;
      onProgress(sent);
      done(null, chunk);
    },
  });
  source.once('error', (error) => meter.destroy(error));
  meter.once('close', () => source.destroy());
  return source.pipe(meter);
}

/** `NoParts` where the source has to send a part and cannot. */
export async function bodyFrom(
  ctx: Ctx,
  fetch: Fetch,
  source: BlobSource,
  blob: Descriptor,
  range: ByteRange,
  onSent: (sent: number) => void,
): Promise<Body> {
  if ('file' in source) return { file: source.file, ...range, onSent };
  if ('open' in source) return counted(await source.open(range), onSent);
  const isAll = range.from === 0 && range.to === blob.size;
  const { from, isRange, message } = await fetch(ctx, source, blob, isAll ? undefined : range);
  if (isAll || (isRange && from === range.from)) return message.handOn(range.to - range.from, onSent);
  message.cancel();
  throw new NoParts(source.repository);
}
