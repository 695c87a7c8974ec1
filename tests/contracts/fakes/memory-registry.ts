import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { notFound, unavailable } from '../../../src/core/errors.ts';
import type { Ctx } from '../../../src/core/ctx.ts';
import type { Descriptor } from '../../../src/core/model/image.ts';
import { errorOf, faultOf } from '../../../src/core/fault.ts';
import type { Registry, Repository } from '../../../src/core/ports/registry.ts';
import { familiar, repositoryName } from '../../../src/core/reference.ts';

interface Stored {
  readonly blobs: Map<string, Buffer>;
  readonly manifests: Map<string, { readonly mediaType: string; readonly bytes: Buffer }>;
  readonly tags: Set<string>;
}

/** A registry in memory, for every domain. */
export function createMemoryRegistry(): Registry {
  const repositories = new Map<string, Stored>();
  const of = (repository: Repository): Stored => {
    const name = repositoryName(repository);
    const found = repositories.get(name) ?? { blobs: new Map(), manifests: new Map(), tags: new Set() };
    repositories.set(name, found);
    return found;
  };
  const check = (ctx: Ctx): void => {
    if (ctx.signal.aborted) throw unavailable('context canceled');
  };
  const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return {
    manifest: async (ctx, repository, reference) => {
      check(ctx);
      const found = of(repository).manifests.get(reference);
      const shown = `${familiar(repositoryName(repository))}${reference.includes(':') ? '@' : ':'}${reference}`;
      if (found === undefined)
        throw notFound(`manifest for ${shown} not found: manifest unknown: manifest unknown`);
      const { mediaType, bytes } = found;
      return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
    },
    manifestDigest: async (ctx, repository, reference) => {
      check(ctx);
      const found = of(repository).manifests.get(reference);
      return found === undefined ? undefined : digestOf(found.bytes);
    },
    referrers: async (_ctx, repository, digest) => {
      const index = of(repository).manifests.get(digest.replace(':', '-'));
      const { manifests = [] } = JSON.parse(index?.bytes.toString() ?? '{}') as { manifests?: Descriptor[] };
      return manifests;
    },
    blob: async (ctx, repository, { digest }, _credentials, range) => {
      check(ctx);
      const data = of(repository).blobs.get(digest);
      if (data === undefined) throw notFound(`blob ${digest}: blob unknown: blob unknown to registry`);
      const { from, to } = range ?? { from: 0, to: data.length };
      return {
        stream: Readable.from([data.subarray(from, to)], { objectMode: false }),
        from,
        isRange: range !== undefined,
      };
    },
    fetchBlob: async (ctx, repository, { digest }, _credentials, range) => {
      check(ctx);
      const data = of(repository).blobs.get(digest);
      if (data === undefined) throw notFound(`blob ${digest}: blob unknown: blob unknown to registry`);
      return {
        from: range?.from ?? 0,
        isRange: range !== undefined,
        save: async (file, ranges, onWritten) => {
          const fd = openSync(file, constants.O_WRONLY);
          try {
            for (const { from, to } of ranges) {
              check(ctx);
              for (let at = from; at < to;) at += writeSync(fd, data, at, to - at, at);
              onWritten(from, to - from);
            }
          } catch (error) {
            throw errorOf(faultOf(error));
          } finally {
            closeSync(fd);
          }
        },
        cancel: () => {},
      };
    },
    tags: async (_ctx, repository) => [...of(repository).tags].sort(),
    pushBlob: async (ctx, repository, { digest, size }, source, _credentials, from, onProgress) => {
      check(ctx);
      const { blobs } = of(repository);
      if (blobs.has(digest)) return { outcome: 'exists' };
      const mounted = from === undefined ? undefined : of(from).blobs.get(digest);
      const data =
        mounted ??
        ('file' in source
          ? readFileSync(source.file)
          : 'repository' in source
            ? of(source.repository).blobs.get(digest)
            : await buffer(await source.open({ from: 0, to: size })));
      if (data === undefined) throw notFound(`blob ${digest}: blob unknown: blob unknown to registry`);
      blobs.set(digest, data);
      if (mounted !== undefined) return { outcome: 'mounted' };
      onProgress?.(data.length);
      return { outcome: 'uploaded' };
    },
    pushManifest: async (ctx, repository, reference, mediaType, bytes) => {
      check(ctx);
      const digest = digestOf(bytes);
      for (const key of [reference, digest]) of(repository).manifests.set(key, { mediaType, bytes });
      if (!reference.includes(':')) of(repository).tags.add(reference);
      return { digest };
    },
    mayPush: async (ctx) => {
      check(ctx);
      return true;
    },
    search: async (_ctx, { domain, term, limit }) =>
      [...repositories.keys()]
        .filter((name) => name.startsWith(`${domain}/`) && name.includes(term))
        .slice(0, limit)
        .map((name) => ({
          name: name.slice(domain.length + 1),
          description: '',
          stars: 0,
          isOfficial: false,
        })),
    login: async () => ({ status: 'Login Succeeded', identityToken: '' }),
  };
}
