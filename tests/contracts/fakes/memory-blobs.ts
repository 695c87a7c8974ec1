import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { conflict, internal, invalid, notFound, unavailable } from '../../../src/core/errors.ts';
import { Growth } from '../../../src/core/growth.ts';
import type { BlobInfo, BlobStore } from '../../../src/core/ports/blob-store.ts';

/** Partial blobs are files: others write into them. */
const folders = new Set<string>();
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const form = /^sha256:[0-9a-f]{64}$/;

/** Blobs in memory, but for those that come in by pieces. `path` names files that do not exist. */
export function createMemoryBlobs(): BlobStore {
  const blobs = new Map<string, Buffer>();
  const partials = new Map<string, { readonly size: number; readonly file: string; at: number }>();
  const partialFile = (data: Buffer): string => {
    const folder = mkdtempSync(join(tmpdir(), 'slip-blobs-'));
    folders.add(folder);
    const file = join(folder, 'partial');
    writeFileSync(file, data);
    return file;
  };
  const drop = (digest: string): void => {
    const there = partials.get(digest);
    if (there !== undefined) rmSync(dirname(there.file), { recursive: true });
    partials.delete(digest);
  };
  const open = new Set<string>();
  const info = (digest: string, data: Buffer): BlobInfo => ({ digest, size: data.length });
  const get = (digest: string): Buffer => {
    const data = blobs.get(digest);
    if (data === undefined) throw notFound(`content digest ${digest}: not found`);
    return data;
  };
  return {
    has: async (digest) => {
      const data = blobs.get(digest);
      return data === undefined ? undefined : info(digest, data);
    },
    ingest: async (ctx, source, expected) => {
      if (expected.digest !== undefined && !form.test(expected.digest))
        throw invalid('invalid checksum digest format');
      const chunks: Buffer[] = [];
      const stop = (): unknown => source.destroy(unavailable('context canceled'));
      ctx.signal.addEventListener('abort', stop);
      try {
        for await (const chunk of source) chunks.push(Buffer.from(chunk as Buffer));
      } finally {
        ctx.signal.removeEventListener('abort', stop);
      }
      const data = Buffer.concat(chunks);
      const digest = `sha256:${createHash('sha256').update(data).digest('hex')}`;
      if (expected.size !== undefined && expected.size !== data.length)
        throw invalid(`unexpected size of ${digest}`);
      if (expected.digest !== undefined && expected.digest !== digest)
        throw invalid(`unexpected digest ${digest}`);
      await expected.hold?.(digest);
      blobs.set(digest, data);
      return info(digest, data);
    },
    read: async (digest, offset = 0, end) =>
      Readable.from([get(digest).subarray(offset, end)], { objectMode: false }),
    readAll: async (digest, limit) => {
      const data = get(digest);
      if (data.length > limit) throw invalid(`content digest ${digest}: too large`);
      return data;
    },
    path: (digest) => `/nowhere/${digest}`,
    list: async () => [...blobs].map(([digest, data]) => info(digest, data)),
    remove: async (digest) => void blobs.delete(digest),
    partial: async (digest, size) => {
      if (!form.test(digest)) throw invalid('invalid checksum digest format');
      if (open.has(digest)) throw conflict(`content digest ${digest} is coming in already`);
      const there = partials.get(digest);
      const state = there?.size === size ? there : { size, file: partialFile(Buffer.alloc(0)), at: 0 };
      open.add(digest);
      partials.set(digest, state);
      const growth = new Growth();
      const grow = (): void => {
        growth.reach(state.at);
        if (state.at === size) growth.finish();
      };
      grow();
      const close = async (how: 'keep' | 'discard'): Promise<void> => {
        if (!open.delete(digest)) return;
        growth.fail();
        if (how === 'discard' || state.at === 0) drop(digest);
      };
      return {
        path: state.file,
        growth,
        pieceSize: size,
        missing: () => (state.at < size ? [{ from: state.at, to: size }] : []),
        present: () => state.at,
        wrote: (at, bytes) => {
          if (at !== state.at || at + bytes > size) throw internal('out of place');
          state.at += bytes;
          grow();
        },
        commit: async () => {
          while (state.at < size && open.has(digest)) await delay(1);
          const data = readFileSync(state.file);
          await close('discard');
          if (state.at !== size) throw unavailable('not whole');
          const own = `sha256:${createHash('sha256').update(data).digest('hex')}`;
          if (own !== digest) throw invalid(`unexpected digest ${own}`);
          blobs.set(digest, data);
          return info(digest, data);
        },
        close,
      };
    },
    setAside: async (digest) => {
      const data = blobs.get(digest);
      if (data !== undefined)
        partials.set(digest, { size: data.length, file: partialFile(data), at: data.length });
      blobs.delete(digest);
    },
    dropPartials: async () => {
      const closed = [...partials.keys()].filter((digest) => !open.has(digest));
      for (const digest of closed) drop(digest);
      return closed.length;
    },
  };
}
