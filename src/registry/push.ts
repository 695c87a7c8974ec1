/** Uploads: a blob is looked for, mounted from another repository, or sent in one request; then the manifest. */

import { Transform, type Readable } from 'node:stream';
import type { Ctx } from '../core/ctx.ts';
import { internal } from '../core/errors.ts';
import type { Descriptor } from '../core/model/image.ts';
import type { RegistryCredentials, Repository } from '../core/ports/registry.ts';
import { refusalOf } from './errors.ts';
import type { Endpoint } from './endpoints.ts';
import type { Session } from './session.ts';

interface PushBlob {
  readonly repository: Repository;
  readonly descriptor: Descriptor;
  readonly open: () => Promise<Readable>;
  readonly credentials: RegistryCredentials | undefined;
  readonly from: Repository | undefined;
  readonly onProgress: ((bytes: number) => void) | undefined;
}

const pushScope = (repository: Repository): string => `repository:${repository.path}:pull,push`;

function counted(source: Readable, onProgress: (bytes: number) => void): Readable {
  let sent = 0;
  const meter = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      sent += chunk.length;
      onProgress(sent);
      done(null, chunk);
    },
  });
  source.once('error', (error) => meter.destroy(error));
  return source.pipe(meter);
}

export async function pushBlob(
  session: Session,
  ctx: Ctx,
  input: PushBlob,
): Promise<{ outcome: 'exists' | 'mounted' | 'uploaded' }> {
  const { repository, descriptor, credentials, from } = input;
  const { domain, path } = repository;
  const scopes = [pushScope(repository), ...(from === undefined ? [] : [`repository:${from.path}:pull`])];
  const common = { scopes, credentials };
  const head = await session.send(ctx, domain, {
    ...common,
    method: 'HEAD',
    path: `/v2/${path}/blobs/${descriptor.digest}`,
  });
  head.message.resume();
  if (head.message.statusCode === 200) return { outcome: 'exists' };
  const query =
    from === undefined
      ? ''
      : `?${new URLSearchParams({ mount: descriptor.digest, from: from.path }).toString()}`;
  const start = await session.send(ctx, domain, {
    ...common,
    method: 'POST',
    path: `/v2/${path}/blobs/uploads/${query}`,
    body: async () => Buffer.alloc(0),
  });
  if (start.message.statusCode === 201) {
    start.message.resume();
    return { outcome: 'mounted' };
  }
  const { location } = start.message.headers;
  if (start.message.statusCode !== 202 || location === undefined)
    throw await refusalOf(start.message, { action: 'push', repository });
  start.message.resume();
  await upload(session, ctx, input, start.endpoint, new URL(location, start.endpoint.base), scopes);
  return { outcome: 'uploaded' };
}

async function upload(
  session: Session,
  ctx: Ctx,
  { repository, descriptor, open, credentials, onProgress }: PushBlob,
  endpoint: Endpoint,
  location: URL,
  scopes: readonly string[],
): Promise<void> {
  location.searchParams.set('digest', descriptor.digest);
  const message = await session.sendTo(ctx, endpoint, {
    method: 'PUT',
    path: location,
    headers: { 'Content-Type': 'application/octet-stream', 'Content-Length': String(descriptor.size) },
    body: async () => counted(await open(), onProgress ?? (() => {})),
    scopes,
    credentials,
  });
  if (message.statusCode !== 201) throw await refusalOf(message, { action: 'push', repository });
  message.resume();
}

export async function pushManifest(
  session: Session,
  ctx: Ctx,
  input: {
    readonly repository: Repository;
    readonly reference: string;
    readonly mediaType: string;
    readonly bytes: Buffer;
    readonly credentials: RegistryCredentials | undefined;
  },
): Promise<{ digest: string }> {
  const { repository, reference, mediaType, bytes, credentials } = input;
  const { message } = await session.send(ctx, repository.domain, {
    method: 'PUT',
    path: `/v2/${repository.path}/manifests/${reference}`,
    headers: { 'Content-Type': mediaType },
    body: async () => bytes,
    scopes: [pushScope(repository)],
    credentials,
  });
  if (message.statusCode !== 201) throw await refusalOf(message, { action: 'push', repository });
  message.resume();
  const digest = message.headers['docker-content-digest'];
  if (typeof digest !== 'string') throw internal('the registry did not say the digest of the manifest');
  return { digest };
}
