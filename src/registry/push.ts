/** Manifests and indexes into a registry, and whether one may put them there. */

import { randomUUID } from 'node:crypto';
import type { Ctx } from '../core/ctx.ts';
import { isKind, unavailable } from '../core/errors.ts';
import type { RegistryCredentials, Repository } from '../core/ports/registry.ts';
import type { Answer } from './answer.ts';
import { refusalOf } from './errors.ts';
import { askManifest, digestOf } from './manifest.ts';
import type { Session } from './session.ts';
import { isSuccess, pushScope } from './upload.ts';

const isDigest = (text: string): boolean => /^sha256:[0-9a-f]{64}$/.test(text);

interface PushedManifest {
  readonly repository: Repository;
  readonly reference: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
  readonly credentials: RegistryCredentials | undefined;
}

export async function pushManifest(
  session: Session<Answer>,
  ctx: Ctx,
  input: PushedManifest,
): Promise<{ digest: string }> {
  const { repository, reference, mediaType, bytes, credentials } = input;
  const { message } = await session.send(ctx, repository.domain, {
    method: 'PUT',
    path: `/v2/${repository.path}/manifests/${reference}`,
    headers: { 'Content-Type': mediaType },
    body: async () => bytes,
    scopes: [pushScope(repository)],
    credentials,
    needs: 'push',
  });
  const { statusCode, headers } = message;
  if (!isSuccess(statusCode)) throw await refusalOf(message, { action: 'push', repository });
  message.resume();
  const told = headers['docker-content-digest'];
  // Where the registry does not say it, it is that of what was sent.
  const digest = typeof told === 'string' && isDigest(told) ? told : digestOf(bytes);
  // Any other success may be that of something in between, which kept the manifest to itself.
  const isBelieved =
    statusCode === 201 ||
    (await askManifest(session, ctx, repository, digest, credentials)).statusCode === 200;
  if (!isBelieved) throw unavailable(`the registry answered ${statusCode} and does not have the manifest`);
  return { digest };
}

/** Refusals that say who may do what, or that it will not do now; any other says that the upload is not known. */
const aboutRights = new Set([401, 403, 405, 407, 429]);

/**
 * Goes on with an upload that never was: a registry looks at rights before it looks for the upload, and nothing is written. False also
 * where the answer tells nothing.
 */
export async function mayPush(
  session: Session<Answer>,
  ctx: Ctx,
  repository: Repository,
  credentials: RegistryCredentials | undefined,
): Promise<boolean> {
  try {
    const { message } = await session.send(ctx, repository.domain, {
      method: 'PATCH',
      path: `/v2/${repository.path}/blobs/uploads/${randomUUID()}`,
      body: async () => Buffer.alloc(0),
      scopes: [pushScope(repository)],
      credentials,
      needs: 'push',
      once: true,
    });
    message.resume();
    const { statusCode } = message;
    return statusCode >= 400 && statusCode < 500 && !aboutRights.has(statusCode);
  } catch (error) {
    // A line that breaks here tells nothing: what is sent then has its own attempts.
    if (isKind(error, 'unavailable') && !ctx.signal.aborted) return false;
    throw error;
  }
}
