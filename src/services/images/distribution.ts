/** What a registry says about an image, without pulling it; and the check of credentials. */

import type { Ctx } from '../../core/ctx.ts';
import type { Platform } from '../../core/model/image.ts';
import type { RegistryCredentials } from '../../core/ports/registry.ts';
import { parseReference, withDefaultTag } from '../../core/reference.ts';
import { parseImageConfig } from './config.ts';
import type { Room } from './deps.ts';
import { parseDocument } from './manifests.ts';
import type { DistributionInfo } from './types.ts';
import { buffer } from 'node:stream/consumers';

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
  const body = await buffer(await room.registry.blob(ctx, repository, config, credentials));
  const { os, architecture, variant } = parseImageConfig(body);
  const platform: Platform = { os, architecture, ...(variant !== undefined && { variant }) };
  return { descriptor, platforms: [platform] };
}

/** The registry that a server address of the API names: Docker Hub for its old index address. */
export function domainOf(serverAddress: string): string {
  const bare = serverAddress.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return bare === '' || bare === 'index.docker.io' || bare === 'registry-1.docker.io' ? 'docker.io' : bare;
}
