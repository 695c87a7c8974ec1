/** What a registry says about an image, without pulling it; and the check of credentials. */

import type { Readable } from 'node:stream';
import type { Ctx } from '../../core/ctx.ts';
import { invalid } from '../../core/errors.ts';
import type { Descriptor, Platform } from '../../core/model/image.ts';
import type { RegistryCredentials } from '../../core/ports/registry.ts';
import { parseReference, withDefaultTag } from '../../core/reference.ts';
import { digestOf, maxDocument, parseImageConfig } from './config.ts';
import type { Room } from './deps.ts';
import { parseDocument } from './manifests.ts';
import type { DistributionInfo, RawManifest } from './types.ts';

export async function distribution(
  room: Room,
  ctx: Ctx,
  reference: string,
  credentials: RegistryCredentials | undefined,
): Promise<DistributionInfo> {
  const parsed = withDefaultTag(parseReference(reference));
  const repository = { domain: parsed.domain, path: parsed.path };
  const name = parsed.digest ?? parsed.tag ?? '';
  const { descriptor, bytes } = await room.registry.manifest(ctx, repository, name, credentials);
  const document = parseDocument(bytes, descriptor.mediaType);
  if (document.is === 'index') {
    const platforms = document.manifests.flatMap((each) =>
      each.platform === undefined ? [] : [each.platform],
    );
    return { descriptor, platforms };
  }
  const config = document.manifest.config;
  if (config.size > maxDocument)
    throw invalid(`image config ${config.digest} is too large: ${config.size} bytes`);
  const { stream } = await room.registry.blob(ctx, repository, config, credentials);
  const body = await readDocument(stream, config);
  const { os, architecture, variant } = parseImageConfig(body);
  const platform: Platform = { os, architecture, ...(variant !== undefined && { variant }) };
  return { descriptor, platforms: [platform] };
}

/** The document itself, and of an image's manifest the platform. */
export async function rawManifest(
  room: Room,
  ctx: Ctx,
  reference: string,
  credentials: RegistryCredentials | undefined,
): Promise<RawManifest> {
  const { domain, path, tag, digest } = withDefaultTag(parseReference(reference));
  const found = await room.registry.manifest(ctx, { domain, path }, digest ?? tag ?? '', credentials);
  const document = parseDocument(found.bytes, found.descriptor.mediaType);
  if (document.is === 'index') return found;
  const { config } = document.manifest;
  if (config.size > maxDocument || !/config|container\.image/.test(config.mediaType)) return found;
  const { stream } = await room.registry.blob(ctx, { domain, path }, config, credentials);
  const body = await readDocument(stream, config);
  try {
    const { os, architecture, variant } = parseImageConfig(body);
    return { ...found, platform: { os, architecture, ...(variant !== undefined && { variant }) } };
  } catch {
    // An artifact: its config may be anything.
    return found;
  }
}

/** A small blob, held against its descriptor while it comes in. */
export async function readDocument(stream: Readable, blob: Descriptor): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += (chunk as Buffer).length;
    if (size > blob.size) break;
    chunks.push(chunk as Buffer);
  }
  const bytes = Buffer.concat(chunks);
  if (size !== blob.size || digestOf(bytes) !== blob.digest)
    throw invalid(`content of ${blob.digest} is not what its digest and size say`);
  return bytes;
}

/** The registry that a server address of the API names: Docker Hub for its old index address. */
export function domainOf(serverAddress: string): string {
  const bare = serverAddress.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  // A slip must not hand the credentials to another registry than the one that was meant.
  const isHost = /^[^\s/?#@\\]+$/.test(bare) && URL.canParse(`https://${bare}/`);
  if (serverAddress !== '' && !isHost)
    throw invalid(`unable to parse server address: ${JSON.stringify(serverAddress)}`);
  return bare === '' || bare === 'index.docker.io' || bare === 'registry-1.docker.io' ? 'docker.io' : bare;
}
