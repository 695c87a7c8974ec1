/** What refers to a manifest: the referrers API of the distribution spec, and the tag that stands in for it. */

import type { Ctx } from '../core/ctx.ts';
import { invalid } from '../core/errors.ts';
import type { Descriptor } from '../core/model/image.ts';
import type { RegistryCredentials, Repository } from '../core/ports/registry.ts';
import type { Answer } from './answer.ts';
import { refusalOf } from './errors.ts';
import type { Session } from './session.ts';

const maxIndex = 4 << 20;
const indexType = 'application/vnd.oci.image.index.v1+json';

function parseIndex(bytes: Buffer): Descriptor[] {
  let manifests: unknown;
  try {
    ({ manifests } = JSON.parse(bytes.toString('utf8')) as { manifests?: unknown });
  } catch (error) {
    throw invalid('the registry answered nonsense', error);
  }
  return (Array.isArray(manifests) ? manifests : []).flatMap((each: unknown) => {
    const { mediaType, digest, size, artifactType } = (each ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof digest !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(digest) || typeof size !== 'number')
      return [];
    return [
      {
        mediaType: typeof mediaType === 'string' ? mediaType : '',
        digest,
        size,
        ...(typeof artifactType === 'string' && { artifactType }),
      },
    ];
  });
}

export async function referrers(
  session: Session<Answer>,
  ctx: Ctx,
  repository: Repository,
  digest: string,
  credentials: RegistryCredentials | undefined,
): Promise<readonly Descriptor[]> {
  const { domain, path } = repository;
  const paths = [`/v2/${path}/referrers/${digest}`, `/v2/${path}/manifests/${digest.replace(':', '-')}`];
  for (const each of paths) {
    const { message } = await session.send(ctx, domain, {
      method: 'GET',
      path: each,
      headers: { Accept: indexType },
      scopes: [`repository:${path}:pull`],
      credentials,
    });
    if (message.statusCode === 200) return parseIndex(await message.read(maxIndex));
    if (message.statusCode !== 404) throw await refusalOf(message, { action: 'pull', repository });
    message.resume();
  }
  return [];
}
