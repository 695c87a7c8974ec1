/** Manifests and indexes of a registry: fetched and verified, or only asked for. */

import { createHash } from 'node:crypto';
import type { Ctx } from '../core/ctx.ts';
import { invalid } from '../core/errors.ts';
import type { Descriptor } from '../core/model/image.ts';
import type { RegistryCredentials, Repository } from '../core/ports/registry.ts';
import type { Answer } from './answer.ts';
import { refusalOf, type Asked } from './errors.ts';
import type { Session } from './session.ts';
import { pushScope } from './upload.ts';

export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch (error) {
    throw invalid('the registry answered nonsense', error);
  }
}

export const maxManifest = 4 << 20;
const accept = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/json;q=0.5',
].join(', ');

export const pullScope = (repository: Repository): string => `repository:${repository.path}:pull`;

export const digestOf = (bytes: Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** Bytes that belong to a digest, or an error that says so. */
function verified(bytes: Buffer, reference: string, header: string | undefined): string {
  const digest = digestOf(bytes);
  if (reference.includes(':') && reference !== digest)
    throw invalid(`manifest verification failed for digest ${reference}`);
  if (header?.startsWith('sha256:') === true && header !== digest)
    throw invalid(`manifest verification failed: the registry says ${header}, the content is ${digest}`);
  return digest;
}

/** What says nothing about a manifest. */
const vague = new Set(['', 'application/json', 'application/octet-stream', 'text/plain']);

/** The type that the registry tells; where it tells none, what the document says of itself, or what its fields are. */
function mediaTypeOf(header: string | undefined, bytes: Buffer): string {
  const told = (header ?? '').replace(/;.*$/, '').trim();
  if (!vague.has(told.toLowerCase())) return told;
  const value = parseJson(bytes);
  const { mediaType, manifests, config } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof mediaType === 'string' && mediaType !== '') return mediaType;
  if (Array.isArray(manifests)) return 'application/vnd.oci.image.index.v1+json';
  return typeof config === 'object' ? 'application/vnd.oci.image.manifest.v1+json' : told;
}

export async function manifest(
  session: Session<Answer>,
  ctx: Ctx,
  repository: Repository,
  reference: string,
  credentials: RegistryCredentials | undefined,
): Promise<{ descriptor: Descriptor; bytes: Buffer }> {
  const asked: Asked = { action: 'pull', repository, reference };
  const { message } = await session.send(ctx, repository.domain, {
    method: 'GET',
    path: `/v2/${repository.path}/manifests/${reference}`,
    headers: { Accept: accept },
    scopes: [pullScope(repository)],
    credentials,
    needs: reference.includes(':') ? 'pull' : 'resolve',
  });
  if (message.statusCode !== 200) throw await refusalOf(message, asked);
  const bytes = await message.read(maxManifest);
  const header = message.headers['docker-content-digest'];
  const digest = verified(bytes, reference, typeof header === 'string' ? header : undefined);
  const mediaType = mediaTypeOf(message.headers['content-type'], bytes);
  return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
}

/** Asks the registry itself, never a mirror, for what it has under a tag or digest; the answer has no body. */
export async function askManifest(
  session: Session<Answer>,
  ctx: Ctx,
  repository: Repository,
  reference: string,
  credentials: RegistryCredentials | undefined,
): Promise<Answer> {
  const { message } = await session.send(ctx, repository.domain, {
    method: 'HEAD',
    path: `/v2/${repository.path}/manifests/${reference}`,
    headers: { Accept: accept },
    // Asked before a push: the token for that will do.
    scopes: [pushScope(repository)],
    credentials,
    needs: 'push',
  });
  message.resume();
  return message;
}

/** Undefined when there is none, or when the registry does not say. */
export async function manifestDigest(
  session: Session<Answer>,
  ctx: Ctx,
  repository: Repository,
  reference: string,
  credentials: RegistryCredentials | undefined,
): Promise<string | undefined> {
  const message = await askManifest(session, ctx, repository, reference, credentials);
  const digest = message.headers['docker-content-digest'];
  return message.statusCode === 200 && typeof digest === 'string' ? digest : undefined;
}
