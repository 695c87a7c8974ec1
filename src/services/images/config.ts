/** Image configuration documents: read with suspicion, written in the OCI form with Docker's fields. */

import { createHash } from 'node:crypto';
import { invalid } from '../../core/errors.ts';
import type { ImageConfig } from '../../core/model/image.ts';
import { checkImageConfig, withLists } from './check-config.ts';

export const mediaTypes = {
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
} as const;

/** More than any honest manifest or config; what is larger is not read into memory. */
export const maxDocument = 4 << 20;

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** No honest document comes near it; what reads or writes a deeper one again would run out of stack. */
const maxNesting = 1000;

function isTooDeep(bytes: Buffer): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < bytes.length; at++) {
    const char = bytes[at];
    if (inText) {
      if (char === 0x5c) at++;
      else if (char === 0x22) inText = false;
    } else if (char === 0x22) inText = true;
    else if (char === 0x5b || char === 0x7b) {
      if (++depth > maxNesting) return true;
    } else if (char === 0x5d || char === 0x7d) depth--;
  }
  return false;
}

export function parseJson(bytes: Buffer, what: string): unknown {
  if (isTooDeep(bytes)) throw invalid(`${what}: invalid JSON: exceeded max depth`);
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch (error) {
    throw invalid(`${what}: invalid JSON: ${(error as Error).message}`, error);
  }
}

export const digestOf = (bytes: Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

const isDigest = (value: unknown): value is string =>
  typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value);

/** As many as overlayfs takes: no container could stand on more. Each costs a directory, however small the archive is. */
const maxLayers = 500;

/** Fields that only Docker's older builders wrote; they describe the build, not the image. */
const dropped = new Set(['container', 'container_config', 'id', 'parent', 'Size', 'layer_id']);

/** Checks what the engine relies on. `invalid` when the document is no image config. */
export function parseImageConfig(bytes: Buffer): ImageConfig {
  const value = parseJson(bytes, 'image config');
  const rootfs = isObject(value) ? value['rootfs'] : undefined;
  if (!isObject(value) || !isObject(rootfs)) throw invalid('invalid image JSON, no RootFS key');
  const diffIds = rootfs['diff_ids'] ?? [];
  if (!Array.isArray(diffIds) || !diffIds.every(isDigest)) throw invalid('invalid image JSON: bad diff_ids');
  checkImageConfig(value);
  if (diffIds.length > maxLayers) throw invalid('max depth exceeded');
  const kept = Object.fromEntries(
    Object.entries(value).filter(([key, field]) => !dropped.has(key) && field !== null),
  );
  const text = (key: string): string => (typeof value[key] === 'string' ? value[key] : '');
  return {
    ...kept,
    ...(isObject(kept['config']) && { config: withLists(kept['config']) }),
    architecture: text('architecture') === '' ? 'amd64' : text('architecture'),
    os: text('os') === '' ? 'linux' : text('os'),
    rootfs: { type: 'layers', diff_ids: diffIds },
  };
}

/** The document's bytes; its digest is the image's id. */
export function encodeImageConfig(config: ImageConfig): Buffer {
  return Buffer.from(JSON.stringify(config));
}
