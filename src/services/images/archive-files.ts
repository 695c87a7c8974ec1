/**
 * An image archive read in one pass, since what a file is shows only at the end: what looks like a plain layer is unpacked
 * while it streams by, everything else goes into the content store. The files are then known by name.
 */

import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { decompressDetected } from '../../core/compression.ts';
import type { Ctx } from '../../core/ctx.ts';
import { invalid, unavailable } from '../../core/errors.ts';
import { chainIdOf, type ImageLayer } from '../../core/model/image.ts';
import type { BlobInfo } from '../../core/ports/blob-store.ts';
import type { StagedLayer } from '../../core/ports/snapshot-driver.ts';
import { tarEntries, type TarEntry } from '../../core/tar/index.ts';
import { maxDocument, parseJson } from './config.ts';
import type { Room } from './deps.ts';
import { hasContent, plainLayer, publishStaged } from './layer-content.ts';
import type { Lease } from './leases.ts';

const maxFiles = 100_000;

/** Names inside an archive are only keys of a map: no path is ever made of them. */
const clean = (name: string): string =>
  posix.normalize(`/${Buffer.from(name, 'latin1').toString('utf8')}`).slice(1);

/** The first block of a tar archive of the last thirty years. */
const looksLikeTar = (start: Buffer): boolean => start.toString('latin1', 257, 262) === 'ustar';
const blockSize = 512;

/** The first bytes of a stream, put back into it. */
async function peek(body: Readable, length: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let have = 0;
  const iterator = body.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  while (have < length) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    parts.push(value);
    have += value.length;
  }
  // Else it would hold on to the stream, which could not flow.
  await iterator.return?.();
  const start = Buffer.concat(parts);
  if (!body.readableEnded && !body.destroyed) body.unshift(start);
  return start;
}

export class ArchiveFiles {
  readonly #room: Room;
  readonly #blobs = new Map<string, BlobInfo>();
  /** Layers that were unpacked on arrival, by digest; undefined once they were handed over. */
  readonly #staged = new Map<string, StagedLayer | undefined>();
  /** Layers that some image has: their content was not looked at. */
  readonly #known = new Map<string, ImageLayer>();
  readonly #links = new Map<string, string>();

  private constructor(room: Room) {
    this.#room = room;
  }

  /** What it returns is to be closed. */
  static async read(room: Room, ctx: Ctx, lease: Lease, source: Readable): Promise<ArchiveFiles> {
    const files = new ArchiveFiles(room);
    const content = await decompressDetected(source);
    try {
      for await (const entry of tarEntries(content)) {
        if (ctx.signal.aborted) throw unavailable('context canceled');
        await files.#take(ctx, lease, entry);
        if (files.#blobs.size + files.#links.size > maxFiles)
          throw invalid('too many files in the image archive');
      }
    } catch (error) {
      await files.close();
      throw error;
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
    if (digest !== undefined && (await this.#isKnownLayer(lease, digest))) {
      body.resume();
      this.#blobs.set(name, { digest, size: header.size });
      return;
    }
    if (header.size >= 2 * blockSize && looksLikeTar(await peek(body, blockSize)))
      await this.#stage(ctx, name, digest, header.size, body);
    else await this.#ingest(ctx, lease, name, digest, header.size, body);
  }

  async #ingest(
    ctx: Ctx,
    lease: Lease,
    name: string,
    digest: string | undefined,
    size: number,
    body: Readable,
  ): Promise<void> {
    if (digest !== undefined) await lease.blob(digest);
    // Where the name does not say it the digest shows at the end only.
    const hold = (found: string): Promise<void> => lease.blob(found);
    const expected = { size, hold, ...(digest !== undefined && { digest }) };
    const stored = await this.#room.blobs.ingest(ctx, body, expected);
    this.#blobs.set(name, stored);
  }

  /** A plain layer that some image has need not be unpacked again; its content is what the name says. */
  async #isKnownLayer(lease: Lease, digest: string): Promise<boolean> {
    if (this.#known.has(digest)) return true;
    for (const { layers } of this.#room.store.all()) {
      const layer = layers.find(({ diffId }) => diffId === digest);
      if (layer === undefined) continue;
      await lease.layer(layer.chainId);
      if (layer.blob !== undefined) await lease.blob(layer.blob.digest);
      if (!(await hasContent(this.#room, layer))) continue;
      this.#known.set(digest, layer);
      return true;
    }
    return false;
  }

  async #stage(
    ctx: Ctx,
    name: string,
    digest: string | undefined,
    size: number,
    body: Readable,
  ): Promise<void> {
    const staged = await this.#room.snapshots.stage(ctx, body);
    const isNew = !this.#staged.has(staged.diffId);
    if (isNew) this.#staged.set(staged.diffId, staged);
    else await this.#room.snapshots.discard(staged);
    if (staged.archiveSize !== size)
      throw invalid(`unexpected size ${staged.archiveSize}, expected ${size}, of ${name}`);
    if (digest !== undefined && digest !== staged.diffId)
      throw invalid(`unexpected digest ${staged.diffId}, expected ${digest}`);
    this.#blobs.set(name, { digest: staged.diffId, size });
  }

  /** Whether a digest is that of a plain layer, which has no blob. */
  isPlainLayer(digest: string): boolean {
    return this.#staged.has(digest) || this.#known.has(digest);
  }

  /**
   * A plain layer in its place: the one that was unpacked on arrival, or the content of one that is somewhere else
   * already. The lease holds it.
   */
  async place(
    ctx: Ctx,
    lease: Lease,
    place: { readonly diffId: string; readonly parent: string | undefined },
  ): Promise<ImageLayer> {
    const { diffId, parent } = place;
    const chainId = chainIdOf(parent, diffId);
    await lease.layer(chainId);
    const staged = this.#staged.get(diffId);
    const known = this.#known.get(diffId);
    // Its content may be here as a blob alone: the layer itself may have gone just before it was held.
    const isThere = known?.chainId === chainId && (await this.#room.snapshots.layer(chainId)) !== undefined;
    if (staged === undefined && isThere) return known;
    const source = staged ?? (await this.#copy(ctx, diffId, known));
    this.#staged.set(diffId, undefined);
    try {
      const layer = await publishStaged(this.#room, source, parent, chainId);
      this.#known.set(diffId, layer);
      return layer;
    } catch (error) {
      await this.#room.snapshots.discard(source);
      throw error;
    }
  }

  #copy(ctx: Ctx, diffId: string, known: ImageLayer | undefined): Promise<StagedLayer> {
    if (known === undefined) throw invalid(`invalid archive: layer ${diffId} is missing`);
    return plainLayer(this.#room, ctx, known).then((archive) => this.#room.snapshots.stage(ctx, archive));
  }

  /** Removes the unpacked layers that nobody took. */
  async close(): Promise<void> {
    for (const staged of this.#staged.values())
      if (staged !== undefined) await this.#room.snapshots.discard(staged);
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
    if (this.isPlainLayer(digest)) throw invalid(`invalid archive: ${digest} is a layer, not a document`);
    return this.#room.blobs.readAll(digest, maxDocument);
  }

  async readJson(name: string): Promise<unknown> {
    return parseJson(await this.readDocument(this.get(name).digest), name);
  }
}
