import { invalid } from '../../core/errors.ts';
import type { Platform } from '../../core/model/image.ts';
import { withCredentials } from '../registry-auth.ts';
import { decodePlatform, decodePlatforms } from '../decode/platform.ts';
import { uploadOf } from '../body.ts';
import {
  encodeAttestation,
  encodeHistory,
  encodeImage,
  encodeImageSummary,
  encodeRemoved,
} from '../encode/images.ts';
import type { Exchange } from '../exchange.ts';
import type { ApiServices } from '../services.ts';
import { listsImageContainers } from '../versions.ts';
import { streamProgress } from '../streams/progress.ts';
import { sendStream } from '../streams/send.ts';
import {
  hasImageManifests,
  hasImagePlatforms,
  hasNameFilter,
  hasPushPlatform,
  hasSharedSize,
} from '../versions.ts';
import type { Filters } from '../query.ts';
import type { Routes } from './route.ts';

async function pull(services: ApiServices, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const reference = query.string('fromImage');
  const tag = query.optional('tag');
  const platform = query.optional('platform');
  const input = {
    reference,
    ...(tag === undefined ? {} : { tag }),
    ...(platform === undefined ? {} : { platform }),
    ...withCredentials(exchange),
    // `docker pull -a` leaves both out.
    allTags: tag === undefined && !/[:@]/.test(reference.slice(reference.lastIndexOf('/') + 1)),
  };
  const ctx = exchange.clientCtx;
  await streamProgress(exchange, (onProgress) => services.images.pull(ctx, input, onProgress));
}

async function importArchive(services: ApiServices, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const fromSrc = query.string('fromSrc');
  const optional = (name: string, key: string): object => {
    const value = query.optional(name);
    return value === undefined ? {} : { [key]: value };
  };
  const input = {
    source: fromSrc === '-' ? uploadOf(exchange.request) : fromSrc,
    ...optional('repo', 'repository'),
    ...optional('tag', 'tag'),
    ...optional('message', 'message'),
    ...optional('platform', 'platform'),
    changes: query.list('changes'),
  };
  const ctx = exchange.clientCtx;
  await streamProgress(exchange, (onProgress) => services.images.import(ctx, input, onProgress));
}

/** The platforms that a request names; versions that do not know the parameter ignore it. */
function platformsOf(exchange: Exchange): readonly Platform[] {
  return hasImagePlatforms(exchange.version) ? decodePlatforms(exchange.query.list('platform')) : [];
}

function platformOf(exchange: Exchange): { readonly platform?: Platform } {
  const text = exchange.query.optional('platform');
  if (text === undefined || !hasImagePlatforms(exchange.version)) return {};
  return { platform: decodePlatform(text) };
}

function pushPlatformOf(exchange: Exchange): { readonly platform?: Platform } {
  const text = exchange.query.optional('platform');
  return text === undefined ? {} : { platform: decodePlatform(text) };
}

/** Older versions had a parameter of its own for a name. */
function listFilters({ query, version }: Exchange): Filters {
  const filters = query.filters();
  const name = query.optional('filter');
  if (name === undefined || !hasNameFilter(version)) return filters;
  return { ...filters, reference: [...(filters['reference'] ?? []), name] };
}

export const imageRoutes: Routes<
  | 'ImageList'
  | 'ImageCreate'
  | 'ImageInspect'
  | 'ImageHistory'
  | 'ImagePush'
  | 'ImageTag'
  | 'ImageDelete'
  | 'ImagePrune'
  | 'ImageGet'
  | 'ImageGetAll'
  | 'ImageLoad'
  | 'ImageAttestations'
  | 'SlipwayImageLayers'
  | 'SlipwayImageCollect'
> = {
  ImageList: async (services, exchange) => {
    const { query, version } = exchange;
    const images = await services.images.list({
      all: query.bool('all'),
      filters: listFilters(exchange),
      sharedSize: hasSharedSize(version) && query.bool('shared-size'),
      manifests: hasImageManifests(version) && query.bool('manifests'),
    });
    exchange.json(
      200,
      images.map((image) =>
        encodeImageSummary(listsImageContainers(version) ? image : { ...image, containers: -1 }, version),
      ),
    );
  },
  ImageCreate: (services, exchange) => {
    if (exchange.query.has('fromImage') && exchange.query.string('fromImage') !== '') {
      return pull(services, exchange);
    }
    return importArchive(services, exchange);
  },
  ImageInspect: async (services, exchange) => {
    const { query, version } = exchange;
    const input = {
      ...platformOf(exchange),
      manifests: hasImagePlatforms(version) && query.bool('manifests'),
    };
    exchange.json(200, encodeImage(await services.images.inspect(exchange.name, input), version));
  },
  ImageHistory: async (services, exchange) => {
    const { platform } = platformOf(exchange);
    const history = await services.images.history(exchange.name, platform);
    exchange.json(200, history.map(encodeHistory));
  },
  ImagePush: async (services, exchange) => {
    const tag = exchange.query.optional('tag');
    const input = {
      reference: exchange.name,
      ...(tag === undefined ? {} : { tag }),
      ...withCredentials(exchange),
      ...(hasPushPlatform(exchange.version) ? pushPlatformOf(exchange) : {}),
      allTags: tag === undefined,
    };
    const ctx = exchange.clientCtx;
    await streamProgress(exchange, (onProgress) => services.images.push(ctx, input, onProgress));
  },
  ImageTag: async (services, exchange) => {
    const tag = exchange.query.optional('tag');
    const repository = exchange.query.string('repo');
    if (repository === '') throw invalid('invalid reference format');
    await services.images.tag(exchange.ctx, exchange.name, {
      repository,
      ...(tag === undefined ? {} : { tag }),
    });
    exchange.empty(201);
  },
  ImageDelete: async (services, exchange) => {
    const removed = await services.images.remove(exchange.ctx, exchange.name, {
      force: exchange.query.bool('force'),
      noPrune: exchange.query.bool('noprune'),
      platforms: decodePlatforms(exchange.query.list('platforms')),
    });
    exchange.json(200, removed.map(encodeRemoved));
  },
  ImagePrune: async (services, exchange) => {
    const report = await services.images.prune(exchange.ctx, exchange.query.filters());
    const deleted = report.deleted.map(encodeRemoved);
    exchange.json(200, {
      ImagesDeleted: deleted.length === 0 ? null : deleted,
      SpaceReclaimed: report.spaceReclaimed,
    });
  },
  ImageGet: async (services, exchange) => {
    const archive = await services.images.save(exchange.clientCtx, [exchange.name], platformsOf(exchange));
    await sendStream(exchange, 'application/x-tar', archive);
  },
  ImageGetAll: async (services, exchange) => {
    const names = exchange.query.list('names').flatMap((list) => list.split(','));
    const archive = await services.images.save(exchange.clientCtx, names, platformsOf(exchange));
    await sendStream(exchange, 'application/x-tar', archive);
  },
  ImageLoad: async (services, exchange) => {
    const input = {
      source: uploadOf(exchange.request),
      quiet: exchange.query.bool('quiet'),
      platforms: platformsOf(exchange),
    };
    const ctx = exchange.clientCtx;
    await streamProgress(exchange, (onProgress) => services.images.load(ctx, input, onProgress));
  },
  ImageAttestations: async (services, exchange) => {
    const { query } = exchange;
    if (query.list('platform').length > 1) throw invalid('only one platform may be specified');
    const found = await services.images.attestations(exchange.name, {
      ...platformOf(exchange),
      types: query.list('type'),
      statement: query.bool('statement'),
    });
    exchange.json(200, found.map(encodeAttestation));
  },
  SlipwayImageCollect: async (services, exchange) => {
    const { query, ctx } = exchange;
    exchange.json(
      200,
      await services.images.collect(ctx, { dryRun: query.bool('dryRun'), all: query.bool('all') }),
    );
  },
  SlipwayImageLayers: async (services, exchange) => {
    const lines = await services.images.explore(exchange.clientCtx, exchange.name, {
      ...platformOf(exchange),
      files: exchange.query.bool('files'),
    });
    await sendStream(exchange, 'application/x-ndjson', lines);
  },
};
