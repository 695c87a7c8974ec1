/**
 * An image archive read in one pass: every file goes into the content store while it streams by, since what it is
 * shows only at the end. The files are then known by name.
 */

import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { decompressDetected } from '../../core/compression.ts';
import type { Ctx } from '../../core/ctx.ts';
import { invalid } from '../../core/errors.ts';
import type { BlobInfo } from '../../core/ports/blob-store.ts';
import { tarEntries, type TarEntry } from '../../core/tar/index.ts';
import { maxDocument, parseJson } from './config.ts';
import type { Room } from './deps.ts';
import type { Lease } from './leases.ts';

const maxFiles = 100_000;

/** Names inside an archive are only keys of a map: no path is ever made of them. */
const clean = (name: string): string =>
  posix.normalize(`/${Buffer.from(name, 'latin1').toString('utf8')}`).slice(1);

export class ArchiveFiles {
  readonly #room: Room;
  readonly #blobs = new Map<string, BlobInfo>();
  readonly #links = new Map<string, string>();

  private constructor(room: Room) {
    this.#room = room;
  }

  static async read(room: Room, ctx: Ctx, lease: Lease, source: Readable): Promise<ArchiveFiles> {
    const files = new ArchiveFiles(room);
    const content = await decompressDetected(source);
    try {
      for await (const entry of tarEntries(content)) {
        if (ctx.signal.aborted) throw invalid('context canceled');
        await files.#take(ctx, lease, entry);
        if (files.#blobs.size + files.#links.size > maxFiles)
          throw invalid('too many files in the image archive');
      }
    } finally {
      content.destroy();
    }
    return files;
  }

  async #take(ctx: Ctx, lease: Lease, { header, body }: TarEntry): Promise<void> {
    const name = clean(header.name);
    if (header.type === 'symlink')
      this.#links.set(name, clean(posix.join(posix.dirname(name), header.linkName)));
    if (header.type === 'hardlink') this.#links.set(name, clean(header.linkName));
    if (header.type !== 'file') return;
    if (header.sparse !== undefined) throw invalid(`sparse file ${name} in an image archive`);
    // In an OCI layout the name says the digest: held before it comes in, and checked on the way.
    const named = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1];
    const digest = named === undefined ? undefined : `sha256:${named}`;
    if (digest !== undefined) await lease.blob(digest);
    const stored = await this.#room.blobs.ingest(ctx, body, {
      size: header.size,
      ...(digest !== undefined && { digest }),
    });
    await lease.blob(stored.digest);
    this.#blobs.set(name, stored);
  }

  /** The blob of a file, through links; undefined when there is none. */
  find(name: string): BlobInfo | undefined {
    let at = clean(name);
    for (let depth = 0; depth < 40; depth++) {
      const blob = this.#blobs.get(at);
      if (blob !== undefined) return blob;
      const next = this.#links.get(at);
      if (next === undefined) return undefined;
      at = next;
    }
    return undefined;
  }

  get(name: string): BlobInfo {
    const blob = this.find(name);
    if (blob === undefined) throw invalid(`invalid archive: ${name} is missing`);
    return blob;
  }

  readDocument(digest: string): Promise<Buffer> {
    return this.#room.blobs.readAll(digest, maxDocument);
  }

  async readJson(name: string): Promise<unknown> {
    return parseJson(await this.readDocument(this.get(name).digest), name);
  }
}
