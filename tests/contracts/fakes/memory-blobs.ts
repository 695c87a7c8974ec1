import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { invalid, notFound, unavailable } from '../../../src/core/errors.ts';
import type { BlobInfo, BlobStore } from '../../../src/core/ports/blob-store.ts';

const form = /^sha256:[0-9a-f]{64}$/;

/** Blobs in memory. `path` names files that do not exist. */
export function createMemoryBlobs(): BlobStore {
  const blobs = new Map<string, Buffer>();
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
    read: async (digest, offset = 0) => Readable.from([get(digest).subarray(offset)], { objectMode: false }),
    readAll: async (digest, limit) => {
      const data = get(digest);
      if (data.length > limit) throw invalid(`content digest ${digest}: too large`);
      return data;
    },
    path: (digest) => `/nowhere/${digest}`,
    list: async () => [...blobs].map(([digest, data]) => info(digest, data)),
    remove: async (digest) => void blobs.delete(digest),
  };
}
