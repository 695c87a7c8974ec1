/** Manifests and indexes of the OCI image spec and of Docker's schema 2: read from bytes, and the choice of a platform. */

import { invalid, notFound } from '../../core/errors.ts';
import type { Descriptor, Platform } from '../../core/model/image.ts';
import { isObject, mediaTypes, parseJson, type JsonObject } from './config.ts';

export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

function parsePlatform(value: unknown): Platform | undefined {
  if (!isObject(value)) return undefined;
  const { os, architecture, variant, 'os.version': version } = value;
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  return {
    os,
    architecture,
    ...(typeof variant === 'string' && variant !== '' && { variant }),
    ...(typeof version === 'string' && version !== '' && { 'os.version': version }),
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

/** Names of architectures as users write them. */
const aliases: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  armhf: 'arm',
  i386: '386',
};

/** `linux/arm64/v8`, or one of its parts. `invalid` when it is none. */
export function parsePlatformText(text: string, host: Platform): Platform {
  const parts = text.toLowerCase().split('/');
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part)))
    throw invalid(
      `invalid platform: ${JSON.stringify(text)}: unknown operating system or architecture: invalid argument`,
    );
  const architecture = (name: string): string => aliases[name] ?? name;
  const [first = '', second, variant] = parts;
  const isSystem = ['linux', 'windows', 'darwin', 'freebsd'].includes(first);
  if (isSystem && second === undefined) return { ...host, os: first };
  const [os, name, kind] = isSystem ? [first, second ?? '', variant] : [host.os, first, second];
  if (!isSystem && variant !== undefined)
    throw invalid(
      `invalid platform: ${JSON.stringify(text)}: unknown operating system or architecture: invalid argument`,
    );
  return { os, architecture: architecture(name), ...(kind !== undefined && { variant: kind }) };
}

export const formatPlatform = (platform: Platform): string =>
  [platform.os, platform.architecture, ...(platform.variant === undefined ? [] : [platform.variant])].join(
    '/',
  );

/** How well an offered platform fits: higher is better, negative is not at all. */
export function platformFit(wanted: Platform, offered: Platform): number {
  if (wanted.os !== offered.os || wanted.architecture !== offered.architecture) return -1;
  const variant = (platform: Platform): string =>
    platform.variant ??
    (platform.architecture === 'arm64' ? 'v8' : platform.architecture === 'arm' ? 'v7' : '');
  const [want, have] = [variant(wanted), variant(offered)];
  if (want === have) return 100;
  // An older ARM variant runs on a newer core; the nearest below is best.
  const [a, b] = [
    Number(/^v(\d+)$/.exec(want)?.[1] ?? Number.NaN),
    Number(/^v(\d+)$/.exec(have)?.[1] ?? Number.NaN),
  ];
  return Number.isNaN(a) || Number.isNaN(b)
    ? offered.variant === undefined
      ? 50
      : -1
    : a > b
      ? 50 - (a - b)
      : -1;
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
