/**
 * The content store: one file a blob, named by its digest, in the layout of an OCI image directory. A blob appears by
 * rename when it is whole and verified. Nothing is synced here: who commits a record that needs a blob syncs first.
 */

import { createReadStream } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Ctx } from '../../core/ctx.ts';
import { conflict, internal, invalid, isErrno, notFound, unavailable } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { BlobInfo, BlobStore, PartialBlob } from '../../core/ports/blob-store.ts';
import { SingleFlight } from '../../core/single-flight.ts';
import type { StorageWorkers } from '../worker/pool.ts';
import { markWhole, PartialFile, removePartial, type PartialPlace } from './partial.ts';

const digestForm = /^sha256:[0-9a-f]{64}$/;

function hexOf(digest: string): string {
  // A digest becomes a file name: anything else could name another file.
  if (!digestForm.test(digest)) throw invalid(`invalid checksum digest format: ${digest}`);
  return digest.slice(7);
}

interface Places {
  readonly blobs: string;
  readonly ingest: string;
  readonly partial: string;
}

class ContentStore implements BlobStore {
  readonly #workers: StorageWorkers;
  readonly #blobs: string;
  readonly #ingest: string;
  readonly #partial: string;
  readonly #flights = new SingleFlight<BlobInfo>();
  /** Digests whose partial blob is open. */
  readonly #open = new Set<string>();

  constructor(workers: StorageWorkers, places: Places) {
    this.#workers = workers;
    this.#blobs = places.blobs;
    this.#ingest = places.ingest;
    this.#partial = places.partial;
  }

  path(digest: string): string {
    return join(this.#blobs, hexOf(digest));
  }

  async has(digest: string): Promise<BlobInfo | undefined> {
    try {
      const { size } = await stat(this.path(digest));
      return { digest, size };
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async ingest(...[ctx, source, expected]: Parameters<BlobStore['ingest']>): Promise<BlobInfo> {
    if (expected.digest === undefined) return this.#store(ctx, source, expected);
    for (;;) {
      let mine = false;
      const flight = this.#flights.run(expected.digest, () => {
        mine = true;
        return this.#store(ctx, source, expected);
      });
      if (mine) return await flight;
      const info = await this.#awaitOther(ctx, source, flight);
      if (info !== undefined) return info;
    }
  }

  /** What another caller stores; undefined when that failed, which says nothing about this caller's bytes. */
  async #awaitOther(ctx: Ctx, source: Readable, flight: Promise<BlobInfo>): Promise<BlobInfo | undefined> {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    const cancel = (): void => reject(unavailable('context canceled'));
    // Nobody reads it yet: a failure would have no listener.
    source.once('error', reject);
    ctx.signal.addEventListener('abort', cancel, { once: true });
    if (ctx.signal.aborted) cancel();
    try {
      const info = await Promise.race([flight.catch(() => undefined), promise]);
      if (info !== undefined) source.destroy();
      return info;
    } catch (error) {
      source.destroy();
      throw error;
    } finally {
      source.off('error', reject);
      ctx.signal.removeEventListener('abort', cancel);
    }
  }

  async #store(...[ctx, source, expected]: Parameters<BlobStore['ingest']>): Promise<BlobInfo> {
    if (expected.digest !== undefined) {
      const there = await this.has(expected.digest);
      if (there !== undefined) {
        source.destroy();
        return there;
      }
    }
    const path = join(this.#ingest, newId());
    try {
      const { digest, size } = await this.#workers.run(ctx, 'ingest', { path }, source);
      if (expected.size !== undefined && expected.size !== size)
        throw invalid(`unexpected size ${size}, expected ${expected.size}, of ${expected.digest ?? digest}`);
      if (expected.digest !== undefined && expected.digest !== digest)
        throw invalid(`unexpected digest ${digest}, expected ${expected.digest}`);
      await expected.hold?.(digest);
      await rename(path, this.path(digest));
      return { digest, size };
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  async read(digest: string, offset = 0, end?: number): Promise<Readable> {
    if (end !== undefined && end <= offset) return Readable.from([], { objectMode: false });
    const stream = createReadStream(this.path(digest), {
      start: offset,
      ...(end !== undefined && { end: end - 1 }),
      highWaterMark: 256 << 10,
    });
    return new Promise((resolve, reject) => {
      stream.once('open', () => resolve(stream));
      stream.once('error', (error) => {
        if (isErrno(error, 'ENOENT')) reject(notFound(`content digest ${digest}: not found`));
        else reject(internal(`content digest ${digest}: ${error.message}`, error));
      });
    });
  }

  async readAll(digest: string, limit: number): Promise<Buffer> {
    const there = await this.has(digest);
    if (there === undefined) throw notFound(`content digest ${digest}: not found`);
    if (there.size > limit) throw invalid(`content digest ${digest}: ${there.size} bytes, limit ${limit}`);
    return readFile(this.path(digest));
  }

  async list(): Promise<readonly BlobInfo[]> {
    const names = (await readdir(this.#blobs)).filter((name) => /^[0-9a-f]{64}$/.test(name)).sort();
    const infos = await Promise.all(names.map((name) => this.has(`sha256:${name}`)));
    return infos.filter((info) => info !== undefined);
  }

  async remove(digest: string): Promise<void> {
    try {
      await unlink(this.path(digest));
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }

  async partial(digest: string, size: number): Promise<PartialBlob> {
    const place = this.#place(hexOf(digest));
    if (this.#open.has(digest)) throw conflict(`content digest ${digest} is coming in already`);
    this.#open.add(digest);
    const onClose = (): void => void this.#open.delete(digest);
    try {
      return await PartialFile.open({ workers: this.#workers, onClose }, place, { digest, size });
    } catch (error) {
      onClose();
      throw error;
    }
  }

  async setAside(digest: string): Promise<void> {
    try {
      if (!this.#open.has(digest)) await markWhole(this.#place(hexOf(digest)));
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }

  async dropPartials(olderThanMs: number): Promise<number> {
    const before = Date.now() - olderThanMs;
    const names = new Set((await readdir(this.#partial)).map((name) => name.slice(0, 64)));
    let dropped = 0;
    for (const hex of names) {
      const place = this.#place(hex);
      const times = await Promise.all([place.path, place.pieces].map((path) => changedAt(path)));
      if (this.#open.has(`sha256:${hex}`) || Math.max(...times) > before) continue;
      await removePartial(place);
      dropped++;
    }
    return dropped;
  }

  #place(hex: string): PartialPlace {
    const path = join(this.#partial, hex);
    return { path, pieces: `${path}.pieces`, target: join(this.#blobs, hex) };
  }
}

/** When a file was written last (milliseconds since the epoch); 0 when it is gone. */
async function changedAt(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 0;
    throw error;
  }
}

/** Opens `<root>/blobs/sha256` and `<root>/partial`, and clears what an earlier daemon left half-written. */
export async function openContentStore(
  deps: { readonly workers: StorageWorkers },
  root: string,
): Promise<BlobStore> {
  const blobs = join(root, 'blobs', 'sha256');
  const ingest = join(root, 'ingest');
  await mkdir(blobs, { recursive: true, mode: 0o700 });
  await rm(ingest, { recursive: true, force: true });
  await mkdir(ingest, { mode: 0o700 });
  const partial = join(root, 'partial');
  await mkdir(partial, { recursive: true, mode: 0o700 });
  return new ContentStore(deps.workers, { blobs, ingest, partial });
}
