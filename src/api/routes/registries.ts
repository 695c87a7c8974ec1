/** What concerns registries alone: nothing of it is stored here. */

import { invalid, toSlipwayError } from '../../core/errors.ts';
import type { Platform } from '../../core/model/image.ts';
import { readText } from '../body.ts';
import type { Exchange } from '../exchange.ts';
import { credentials, withCredentials } from '../registry-auth.ts';
import { streamProgress } from '../streams/progress.ts';
import type { Routes } from './route.ts';

interface PutBody {
  readonly mediaType: string;
  readonly content: string;
  readonly sources: readonly string[];
}

const isText = (value: unknown): value is string => typeof value === 'string';

/** `{"mediaType":"...","content":"<base64>","sources":["registry/name@sha256:..."]}`. */
async function readManifest(exchange: Exchange): Promise<PutBody> {
  let value: unknown;
  try {
    value = JSON.parse(await readText(exchange.request));
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid(`invalid JSON: ${error.message}`, error);
    throw error;
  }
  const { mediaType, content, sources } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (!isText(mediaType) || !isText(content) || !Array.isArray(sources) || !sources.every(isText))
    throw invalid('mediaType, content and sources are needed');
  return { mediaType, content, sources };
}

function encodePlatform(platform: Platform | undefined): object {
  return platform === undefined ? {} : { Platform: platform };
}

function limitOf(exchange: Exchange): number | undefined {
  try {
    return exchange.query.integer('limit');
  } catch (error) {
    throw invalid(`invalid limit specified: ${toSlipwayError(error).message}`, error);
  }
}

export const registryRoutes: Routes<
  | 'DistributionInspect'
  | 'ImageSearch'
  | 'SlipwayImageCopy'
  | 'SlipwayManifestInspect'
  | 'SlipwayManifestPush'
> = {
  DistributionInspect: async (services, exchange) => {
    const ctx = exchange.clientCtx;
    const found = await services.images.distribution(ctx, exchange.name, credentials(exchange));
    exchange.json(200, { Descriptor: found.descriptor, Platforms: found.platforms });
  },
  ImageSearch: async (services, exchange) => {
    const { query } = exchange;
    const limit = limitOf(exchange);
    const found = await services.images.search(exchange.clientCtx, {
      term: query.string('term'),
      ...(limit === undefined ? {} : { limit }),
      filters: query.filters(),
      ...withCredentials(exchange),
    });
    exchange.json(
      200,
      found.map(({ name, description, stars, isOfficial }) => ({
        star_count: stars,
        is_official: isOfficial,
        name,
        is_automated: false,
        description,
      })),
    );
  },
  SlipwayImageCopy: async (services, exchange) => {
    const { query } = exchange;
    const platform = query.optional('platform');
    const fromCredentials = credentials(exchange, 'x-slipway-source-auth');
    const toCredentials = credentials(exchange);
    const input = {
      from: query.string('from'),
      to: query.string('to'),
      ...(platform === undefined ? {} : { platform }),
      ...(fromCredentials === undefined ? {} : { fromCredentials }),
      ...(toCredentials === undefined ? {} : { toCredentials }),
    };
    const ctx = exchange.clientCtx;
    await streamProgress(exchange, (onProgress) => services.images.copy(ctx, input, onProgress));
  },
  SlipwayManifestInspect: async (services, exchange) => {
    const found = await services.images.rawManifest(
      exchange.clientCtx,
      exchange.query.string('name'),
      credentials(exchange),
    );
    exchange.json(200, {
      Descriptor: found.descriptor,
      Content: found.bytes.toString('base64'),
      ...encodePlatform(found.platform),
    });
  },
  SlipwayManifestPush: async (services, exchange) => {
    const { mediaType, content, sources } = await readManifest(exchange);
    const digest = await services.images.putManifest(exchange.clientCtx, {
      reference: exchange.query.string('name'),
      mediaType,
      bytes: Buffer.from(content, 'base64'),
      sources,
      ...withCredentials(exchange),
    });
    exchange.json(201, { Digest: digest });
  },
};
