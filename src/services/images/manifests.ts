/** Manifests and indexes of the OCI image spec and of Docker's schema 2: read from bytes, and the choice of a platform. */

import { invalid, notFound } from '../../core/errors.ts';
import type { Descriptor, Platform } from '../../core/model/image.ts';
import { formatPlatform, platformFit } from '../../core/platform.ts';
import { isObject, mediaTypes, parseJson, type JsonObject } from './config.ts';

export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

function parsePlatform(value: unknown): Platform | undefined {
  if (!isObject(value)) return undefined;
  const { os, architecture, variant, 'os.version': version, 'os.features': features } = value;
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  return {
    os,
    architecture,
    ...(typeof variant === 'string' && variant !== '' && { variant }),
    ...(typeof version === 'string' && version !== '' && { 'os.version': version }),
    ...(Array.isArray(features) && {
      'os.features': features.filter((each): each is string => typeof each === 'string'),
    }),
  };
}

const textsOf = (value: JsonObject): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );

/** A descriptor whose digest the engine can verify. `invalid` otherwise. */
export function parseDescriptor(value: unknown, what: string): Descriptor {
  if (!isObject(value)) throw invalid(`invalid ${what}: no descriptor`);
  const { mediaType, digest, size, annotations, artifactType, urls } = value;
  if (typeof digest !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(digest))
    throw invalid(`invalid ${what}: invalid checksum digest format`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw invalid(`invalid ${what}: bad size of ${digest}`);
  const platform = parsePlatform(value['platform']);
  return {
    mediaType: typeof mediaType === 'string' ? mediaType : '',
    digest,
    size,
    ...(platform !== undefined && { platform }),
    ...(isObject(annotations) && { annotations: textsOf(annotations) }),
    ...(typeof artifactType === 'string' && artifactType !== '' && { artifactType }),
    ...(Array.isArray(urls) && { urls: urls.filter((url) => typeof url === 'string') }),
  };
}

function list(value: JsonObject, field: string, what: string): readonly unknown[] {
  const found = value[field];
  if (!Array.isArray(found)) throw invalid(`invalid ${what}: no ${field}`);
  return found as readonly unknown[];
}

export type Document =
  | { readonly is: 'manifest'; readonly manifest: Manifest }
  | { readonly is: 'index'; readonly manifests: readonly Descriptor[] };

/**
 * What the bytes are, by their own fields as well as by their media type: a manifest that is also an index could mean
 * different things to different readers and is refused (CVE-2021-41190).
 */
export function parseDocument(bytes: Buffer, mediaType: string): Document {
  const value = parseJson(bytes, 'manifest');
  if (!isObject(value)) throw invalid('invalid manifest: not an object');
  if (value['schemaVersion'] !== 2)
    throw invalid(
      'support for Docker Image Format v1 and Docker Image manifest version 2, schema 1 is not available: push the image again with a newer client',
    );
  const isIndex = 'manifests' in value;
  const isManifest = 'layers' in value || 'config' in value;
  if (isIndex && isManifest) throw invalid('invalid manifest: both "layers" and "manifests" are present');
  const own = typeof value['mediaType'] === 'string' ? value['mediaType'] : mediaType;
  const says = own === mediaTypes.ociIndex || own === mediaTypes.dockerIndex;
  if (isIndex !== says && own !== '')
    throw invalid(`invalid manifest: content does not fit its media type ${own}`);
  if (isIndex) {
    const manifests = list(value, 'manifests', 'index').map((each) => parseDescriptor(each, 'index'));
    return { is: 'index', manifests };
  }
  const layers = list(value, 'layers', 'manifest').map((each) => parseDescriptor(each, 'manifest'));
  return { is: 'manifest', manifest: { config: parseDescriptor(value['config'], 'manifest'), layers } };
}

/** The entry of an index for a platform. `notFound` in Docker's words when there is none. */
export function choosePlatform(manifests: readonly Descriptor[], wanted: Platform): Descriptor {
  let best: { readonly score: number; readonly descriptor: Descriptor } | undefined;
  for (const descriptor of manifests) {
    // An index of one image without platforms is what some tools write.
    const score = descriptor.platform === undefined ? 0 : platformFit(wanted, descriptor.platform);
    if (score >= 0 && score > (best?.score ?? -1)) best = { score, descriptor };
  }
  if (best === undefined)
    throw notFound(`no matching manifest for ${formatPlatform(wanted)} in the manifest list entries`);
  return best.descriptor;
}
