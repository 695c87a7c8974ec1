import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { conflict, internal, invalid, notFound, unavailable } from '../../../src/core/errors.ts';
import { Growth } from '../../../src/core/growth.ts';
import type { BlobInfo, BlobStore } from '../../../src/core/ports/blob-store.ts';

const form = /^sha256:[0-9a-f]{64}$/;

/** Blobs in memory. `path` names files that do not exist. */
export function createMemoryBlobs(): BlobStore {
  const blobs = new Map<string, Buffer>();
  const partials = new Map<string, { readonly data: Buffer; at: number }>();
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
      const state = there?.data.length === size ? there : { data: Buffer.alloc(size), at: 0 };
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
        if (how === 'discard' || state.at === 0) partials.delete(digest);
      };
      return {
        path: `/nowhere/${digest}`,
        growth,
        pieceSize: size,
        missing: () => (state.at < size ? [{ from: state.at, to: size }] : []),
        present: () => state.at,
        write: async (at, chunks) => {
          const chunk = Buffer.concat(chunks);
          if (at !== state.at || at + chunk.length > size) throw internal('out of place');
          chunk.copy(state.data, at);
          state.at += chunk.length;
          grow();
        },
        commit: async () => {
          await close('discard');
          if (state.at !== size) throw unavailable('not whole');
          const own = `sha256:${createHash('sha256').update(state.data).digest('hex')}`;
          if (own !== digest) throw invalid(`unexpected digest ${own}`);
          blobs.set(digest, state.data);
          return info(digest, state.data);
        },
        close,
      };
    },
    setAside: async (digest) => {
      const data = blobs.get(digest);
      if (data !== undefined) partials.set(digest, { data, at: data.length });
      blobs.delete(digest);
    },
    dropPartials: async () => {
      const closed = [...partials.keys()].filter((digest) => !open.has(digest));
      for (const digest of closed) partials.delete(digest);
      return closed.length;
    },
  };
}
