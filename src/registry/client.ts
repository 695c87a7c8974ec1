import type { Ctx } from '../core/ctx.ts';
import { SlipwayError, notFound, unauthorized } from '../core/errors.ts';
import type { Descriptor } from '../core/model/image.ts';
import type { ByteRange } from '../core/ports/blob-store.ts';
import type {
  BlobBody,
  BlobTransfer,
  Registry,
  RegistryCredentials,
  Repository,
} from '../core/ports/registry.ts';
import { defaultDomain } from '../core/reference.ts';
import type { Answer, Received } from './answer.ts';
import { parseMirror, type EndpointOptions } from './endpoints.ts';
import { refusalOf } from './errors.ts';
import { HttpClient, type Transport } from './http.ts';
import { fetchForeign } from './foreign.ts';
import { mayPush, pushManifest } from './push.ts';
import { TransferThread, type FarAnswer } from './transfer/transfer-thread.ts';
import { pushBlob } from './upload.ts';
import { manifest, manifestDigest, pullScope } from './manifest.ts';
import { tags } from './tags.ts';
import type { Fetch } from './upload-source.ts';
import { referrers } from './referrers.ts';
import { search } from './search.ts';
import { Session } from './session.ts';

export interface RegistryOptions extends Partial<EndpointOptions> {
  readonly userAgent?: string;
  /** Milliseconds without a byte after which a request fails; default 60,000. */
  readonly idleTimeoutMs?: number;
  /** Milliseconds before the second attempt at a registry in trouble, doubled each time; default 500. */
  readonly retryDelayMs?: number;
  /** Docker Hub's search. */
  readonly index?: string;
  /** Blobs above this many bytes are sent in chunks of it; default 64 MiB. */
  readonly uploadChunkSize?: number;
  /** Called when the transfer thread has ended and its memory is free. */
  readonly onThreadEnd?: () => void;
  /** Variables as HTTP_PROXY, HTTPS_PROXY and NO_PROXY; default the environment's. */
  readonly proxyEnv?: Readonly<Record<string, string | undefined>>;
}

/** Our own, Docker's and containerd's. */
const defaultCertsDirectories = ['/etc/slipway/certs.d', '/etc/docker/certs.d', '/etc/containerd/certs.d'];

/** `bytes 100-199/1000`: where an answer begins. */
function startOf(header: string | undefined): number {
  return Number(/^bytes (\d+)-/.exec(header ?? '')?.[1] ?? Number.NaN);
}

interface Reach<A extends Answer> {
  readonly session: Session<A>;
  readonly http: Transport<A>;
  readonly insecure: readonly string[];
}

interface BlobHead<A> {
  readonly message: A;
  readonly from: number;
  readonly isRange: boolean;
}

async function blob<A extends Answer>(
  { session, http, insecure }: Reach<A>,
  ctx: Ctx,
  repository: Repository,
  descriptor: Descriptor,
  credentials: RegistryCredentials | undefined,
  range: ByteRange | undefined,
): Promise<BlobHead<A>> {
  const headers = {
    'Accept-Encoding': 'identity',
    ...(range !== undefined && { Range: `bytes=${range.from}-${range.to - 1}` }),
  };
  const sent = await session.send(ctx, repository.domain, {
    method: 'GET',
    path: `/v2/${repository.path}/blobs/${descriptor.digest}`,
    headers,
    scopes: [pullScope(repository)],
    credentials,
  });
  let { message } = sent;
  // Some servers refuse a range rather than to pass over it.
  if (range !== undefined && (message.statusCode === 416 || message.statusCode === 501)) {
    message.resume();
    return await blob({ session, http, insecure }, ctx, repository, descriptor, credentials, undefined);
  }
  if (message.statusCode === 404 && (descriptor.urls?.length ?? 0) > 0) {
    message.resume();
    message = await fetchForeign(http, ctx, descriptor, headers, insecure);
  }
  const { statusCode } = message;
  if (statusCode === 200) return { message, from: 0, isRange: false };
  if (statusCode === 206 && range !== undefined)
    return { message, from: startOf(message.headers['content-range']), isRange: true };
  const error = await refusalOf(message, { action: 'pull', repository });
  throw error.kind === 'notFound' && statusCode === 404
    ? notFound(`blob ${descriptor.digest}: ${error.message}`)
    : error;
}

type BlobAsked = Parameters<Registry['blob']>;

async function streamed(
  reach: Reach<Received>,
  ...[ctx, repository, descriptor, credentials, range]: BlobAsked
): Promise<BlobBody> {
  const { message, from, isRange } = await blob(reach, ctx, repository, descriptor, credentials, range);
  return { stream: message.stream, from, isRange };
}

async function transferred(
  reach: Reach<FarAnswer>,
  ...[ctx, repository, descriptor, credentials, range]: BlobAsked
): Promise<BlobTransfer> {
  const { message, from, isRange } = await blob(reach, ctx, repository, descriptor, credentials, range);
  const { digest, size } = descriptor;
  return {
    from,
    isRange,
    save: (file, ranges, onWritten) => message.save({ file, ranges, from, digest, size }, onWritten),
    cancel: () => message.cancel(),
  };
}

/** Against `/v2/`, as Docker does. */
async function login(
  session: Session<Answer>,
  ctx: Ctx,
  domain: string,
  credentials: RegistryCredentials,
): Promise<{ status: string; identityToken: string }> {
  const request = { method: 'GET', path: '/v2/', scopes: [], credentials } as const;
  const status = 'Login Succeeded';
  const failures: unknown[] = [];
  for (const endpoint of (await session.endpoints(domain)).filter((each) => !each.isMirror)) {
    try {
      const message = await session.sendTo(ctx, endpoint, request);
      message.resume();
      if (message.statusCode === 200)
        return { status, identityToken: await refreshToken(session, ctx, domain, credentials) };
      const address = new URL('/v2/', endpoint.base).href;
      throw unauthorized(
        `login attempt to ${address} failed with status: ${message.statusCode} ${message.statusMessage}`,
      );
    } catch (error) {
      if (!(error instanceof SlipwayError) || error.kind !== 'unavailable') throw error;
      failures.push(error);
    }
  }
  throw failures[0];
}

/** Where the token server gives refresh tokens, one is kept in place of the password. */
async function refreshToken(
  session: Session<Answer>,
  ctx: Ctx,
  domain: string,
  credentials: RegistryCredentials,
): Promise<string> {
  const endpoint = (await session.endpoints(domain)).find((each) => !each.isMirror);
  if (endpoint === undefined || credentials.password === undefined) return '';
  const challenge = session.challenge(endpoint);
  if (challenge?.scheme !== 'bearer') return '';
  const { tls, base } = endpoint;
  const plain = base.protocol === 'http:';
  const token = await session.tokens.fetch(ctx, {
    challenge,
    scopes: [],
    credentials,
    tls,
    plain,
    offline: true,
  });
  return token.refresh;
}

export interface RegistryClient extends Registry {
  close(): Promise<void>;
}

export function createRegistry(options: RegistryOptions = {}): RegistryClient {
  const httpOptions = {
    userAgent: options.userAgent ?? 'slipway',
    idleTimeoutMs: options.idleTimeoutMs ?? 60_000,
    proxyEnv: { ...(options.proxyEnv ?? process.env) },
  };
  const http = new HttpClient(httpOptions);
  const { onThreadEnd } = options;
  const thread = new TransferThread({ http: httpOptions, ...(onThreadEnd !== undefined && { onThreadEnd }) });
  const mirrors = options.mirrors ?? [];
  for (const mirror of mirrors) parseMirror(mirror);
  const endpoints = {
    insecureRegistries: options.insecureRegistries ?? [],
    mirrors,
    hub: options.hub ?? 'https://registry-1.docker.io',
    certsDirectories: options.certsDirectories ?? defaultCertsDirectories,
  };
  const retryDelayMs = options.retryDelayMs ?? 500;
  const session = Session.open(http, endpoints, retryDelayMs);
  const far = session.over(thread);
  const insecure = endpoints.insecureRegistries;
  const fetch: Fetch = async (ctx, source, descriptor, range) =>
    await blob(
      { session: far, http: thread, insecure },
      ctx,
      source.repository,
      descriptor,
      source.credentials,
      range,
    );
  const upload = { chunkSize: options.uploadChunkSize ?? 64 << 20, retryDelayMs };
  return {
    manifest: (ctx, repository, reference, credentials) =>
      manifest(session, ctx, repository, reference, credentials),
    manifestDigest: (ctx, repository, reference, credentials) =>
      manifestDigest(session, ctx, repository, reference, credentials),
    referrers: (ctx, repository, digest, credentials) =>
      referrers(session, ctx, repository, digest, credentials),
    blob: (...asked) => streamed({ session, http, insecure }, ...asked),
    fetchBlob: (...asked) => transferred({ session: far, http: thread, insecure }, ...asked),
    tags: (ctx, repository, credentials) => tags(session, ctx, repository, credentials),
    pushBlob: (ctx, repository, descriptor, source, credentials, from, onProgress) =>
      pushBlob(
        { near: session, far, fetch },
        ctx,
        { repository, descriptor, source, credentials, from, onProgress },
        upload,
      ),
    pushManifest: (ctx, repository, reference, mediaType, bytes, credentials) =>
      pushManifest(session, ctx, { repository, reference, mediaType, bytes, credentials }),
    mayPush: (ctx, repository, credentials) => mayPush(session, ctx, repository, credentials),
    search: (ctx, input) => search(session, ctx, options.index ?? 'https://index.docker.io', input),
    login: (ctx, domain, credentials) =>
      login(session, ctx, domain === '' ? defaultDomain : domain, credentials),
    close: async () => {
      http.close();
      await thread.close();
    },
  };
}
