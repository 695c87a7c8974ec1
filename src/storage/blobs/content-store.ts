/**
 * The content store: one file a blob, named by its digest, in the layout of an OCI image directory. A blob appears by
 * rename when it is whole and verified. Nothing is synced here: who commits a record that needs a blob syncs first.
 */

import { createReadStream } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { internal, invalid, isErrno, notFound } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { BlobInfo, BlobStore } from '../../core/ports/blob-store.ts';
import { SingleFlight } from '../../core/single-flight.ts';
import type { StorageWorkers } from '../worker/pool.ts';

const digestForm = /^sha256:[0-9a-f]{64}$/;

function hexOf(digest: string): string {
  // A digest becomes a file name: anything else could name another file.
  if (!digestForm.test(digest)) throw invalid(`invalid checksum digest format: ${digest}`);
  return digest.slice(7);
}

class ContentStore implements BlobStore {
  readonly #workers: StorageWorkers;
  readonly #blobs: string;
  readonly #ingest: string;
  readonly #flights = new SingleFlight<BlobInfo>();

  constructor(workers: StorageWorkers, blobs: string, ingest: string) {
    this.#workers = workers;
    this.#blobs = blobs;
    this.#ingest = ingest;
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
    let mine = false;
    const flight = this.#flights.run(expected.digest, () => {
      mine = true;
      return this.#store(ctx, source, expected);
    });
    if (!mine) source.destroy();
    return flight;
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
      await rename(path, this.path(digest));
      return { digest, size };
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  async read(digest: string, offset = 0): Promise<Readable> {
    const stream = createReadStream(this.path(digest), { start: offset, highWaterMark: 256 << 10 });
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
}

/** Opens `<root>/blobs/sha256`, and clears what an earlier daemon left half-written. */
export async function openContentStore(
  deps: { readonly workers: StorageWorkers },
  root: string,
): Promise<BlobStore> {
  const blobs = join(root, 'blobs', 'sha256');
  const ingest = join(root, 'ingest');
  await mkdir(blobs, { recursive: true, mode: 0o700 });
  await rm(ingest, { recursive: true, force: true });
  await mkdir(ingest, { mode: 0o700 });
  return new ContentStore(deps.workers, blobs, ingest);
}
