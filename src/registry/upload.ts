/**
 * One blob's way into a registry: looked for, mounted from another repository, or sent. Small ones go in one request, large
 * ones in chunks, so that a broken line costs one chunk: the registry is asked how far it has come.
 */

import { setTimeout as pause } from 'node:timers/promises';
import type { Ctx } from '../core/ctx.ts';
import { invalid, isKind, unavailable } from '../core/errors.ts';
import type { Descriptor } from '../core/model/image.ts';
import type { ByteRange } from '../core/ports/blob-store.ts';
import {
  RegistryBusy,
  type BlobSource,
  type RegistryCredentials,
  type Repository,
} from '../core/ports/registry.ts';
import type { Answer } from './answer.ts';
import type { Endpoint } from './endpoints.ts';
import { refusalOf } from './errors.ts';
import type { Body } from './http.ts';
import { addressOf, type Session } from './session.ts';
import { NoParts, bodyFrom, type Fetch } from './upload-source.ts';

export interface PushBlob {
  readonly repository: Repository;
  readonly descriptor: Descriptor;
  readonly source: BlobSource;
  readonly credentials: RegistryCredentials | undefined;
  readonly from: Repository | undefined;
  readonly onProgress: ((bytes: number) => void) | undefined;
}

export interface UploadOptions {
  /** Blobs above this many bytes go in chunks of it. */
  readonly chunkSize: number;
  readonly retryDelayMs: number;
}

/** Attempts in a row that bring nothing. */
const maxAttempts = 5;
const longestPauseMs = 60_000;

export const pushScope = (repository: Repository): string => `repository:${repository.path}:pull,push`;

/** Where an upload stands: the address for its next request, and how much the registry has. */
interface Upload {
  readonly endpoint: Endpoint;
  location: URL;
  offset: number;
  /** Fewest bytes of a chunk that the registry takes, but for the last. */
  readonly least: number;
}

export const isSuccess = (status: number): boolean => status >= 200 && status < 300;

/**
 * The address that a registry gave, as one of `from`'s. A proxy that ends TLS often lets the registry behind it believe that it is reached
 * by plain HTTP.
 */
export function locationOf({ base }: Pick<Endpoint, 'base'>, from: URL, text: string): URL {
  const url = new URL(text, from);
  const isSame = url.hostname === base.hostname && (url.port === '' || url.port === base.port);
  if (base.protocol !== 'https:' || url.protocol !== 'http:' || !isSame) return url;
  return new URL(`${url.pathname}${url.search}`, base);
}

/** Where an upload that was begun goes on: some registries only give its id. */
function begunAt(endpoint: Endpoint, asked: string, headers: Answer['headers']): URL | undefined {
  const { location, 'docker-upload-uuid': id } = headers;
  const from = addressOf(endpoint, asked);
  if (location !== undefined) return locationOf(endpoint, from, location);
  return typeof id === 'string' && /^[\w.=-]+$/.test(id)
    ? new URL(id, new URL(from.pathname, from))
    : undefined;
}

/** `OCI-Chunk-Min-Length`; 0 where there is none. */
function leastOf(header: string | readonly string[] | undefined): number {
  const least = Number(header ?? 0);
  return Number.isSafeInteger(least) && least > 0 ? least : 0;
}

/** The two ways to a registry: documents and questions on this thread, files past it. */
export interface Sessions {
  readonly near: Session<Answer>;
  readonly far: Session<Answer>;
  /** From another repository; its answers are `far`'s. */
  readonly fetch: Fetch;
}

class Uploader {
  readonly #session: Session<Answer>;
  /** For what has a body. */
  readonly #sender: Session<Answer>;
  readonly #fetch: Fetch;
  readonly #input: PushBlob;
  readonly #options: UploadOptions;
  readonly #common: {
    readonly scopes: readonly string[];
    readonly credentials: RegistryCredentials | undefined;
    readonly needs: 'push';
  };

  constructor({ near, far, fetch }: Sessions, input: PushBlob, options: UploadOptions) {
    this.#session = near;
    this.#sender = 'open' in input.source ? near : far;
    this.#fetch = fetch;
    this.#input = input;
    this.#options = options;
    const { repository, from, credentials } = input;
    const scopes = [pushScope(repository), ...(from === undefined ? [] : [`repository:${from.path}:pull`])];
    this.#common = { scopes, credentials, needs: 'push' };
  }

  async exists(ctx: Ctx): Promise<boolean> {
    const { repository, descriptor } = this.#input;
    const { message } = await this.#session.send(ctx, repository.domain, {
      ...this.#common,
      method: 'HEAD',
      path: `/v2/${repository.path}/blobs/${descriptor.digest}`,
    });
    message.resume();
    return message.statusCode === 200;
  }

  /** Begins an upload; undefined when the registry took the blob from the other repository instead. */
  async start(ctx: Ctx, mount: boolean): Promise<Upload | undefined> {
    const { repository, descriptor, from } = this.#input;
    const query =
      mount && from !== undefined
        ? `?${new URLSearchParams({ mount: descriptor.digest, from: from.path }).toString()}`
        : '';
    const path = `/v2/${repository.path}/blobs/uploads/`;
    const { message, endpoint } = await this.#session.send(ctx, repository.domain, {
      ...this.#common,
      method: 'POST',
      path: `${path}${query}`,
      body: async () => Buffer.alloc(0),
    });
    const { statusCode, headers } = message;
    if (statusCode === 201) {
      message.resume();
      return undefined;
    }
    // One that may not read there, or knows no mounts, may take the bytes.
    if (query !== '' && statusCode >= 400 && statusCode < 500 && statusCode !== 429) {
      message.resume();
      return await this.start(ctx, false);
    }
    if (!isSuccess(statusCode)) throw await this.#refusal(message);
    message.resume();
    const location = begunAt(endpoint, path, headers);
    if (location === undefined) throw invalid('the registry does not say where to upload to');
    return { endpoint, location, offset: 0, least: leastOf(headers['oci-chunk-min-length']) };
  }

  /** Sends everything, again from where the registry is when the line breaks. */
  async send(ctx: Ctx, begun: Upload): Promise<void> {
    let upload = begun;
    let reached = 0;
    for (let attempt = 0; ;) {
      try {
        await this.#sendFrom(ctx, upload);
        return;
      } catch (error) {
        if (ctx.signal.aborted || !isKind(error, 'unavailable')) throw error;
        if (upload.offset > reached) attempt = 0;
        reached = upload.offset;
        if (++attempt >= maxAttempts) throw error;
        const asked = error instanceof RegistryBusy ? (error.retryAfterMs ?? 0) : 0;
        if (asked > longestPauseMs) throw error;
        ctx.log.warn('upload broke off', { digest: this.#input.descriptor.digest, attempt, error });
        const delay = Math.max(asked, this.#options.retryDelayMs * 2 ** (attempt - 1));
        await pause(delay, undefined, { signal: ctx.signal }).catch(() => {});
        if (ctx.signal.aborted) throw unavailable('context canceled', error);
        upload = await this.#resume(ctx, upload);
      }
    }
  }

  /** How far the registry has come; a new upload where it does not know of this one any more. */
  async #resume(ctx: Ctx, upload: Upload): Promise<Upload> {
    if (upload.offset > 0) {
      const message = await this.#session.sendTo(ctx, upload.endpoint, {
        ...this.#common,
        method: 'GET',
        path: upload.location,
      });
      message.resume();
      const end = /^(?:bytes=)?0-(\d+)$/.exec(message.headers.range ?? '')?.[1];
      if (message.statusCode === 204 && end !== undefined) {
        const { location = upload.location.href } = message.headers;
        return {
          ...upload,
          location: locationOf(upload.endpoint, upload.location, location),
          offset: Number(end) + 1,
        };
      }
    }
    const anew = await this.start(ctx, false);
    if (anew === undefined) throw unavailable('the registry did not begin an upload');
    return anew;
  }

  async #sendFrom(ctx: Ctx, upload: Upload): Promise<void> {
    const { size } = this.#input.descriptor;
    const chunkSize = Math.max(this.#options.chunkSize, upload.least);
    if (upload.offset === 0 && size <= chunkSize) {
      await this.#finish(ctx, upload, { from: 0, to: size });
      return;
    }
    try {
      while (upload.offset < size)
        await this.#patch(ctx, upload, {
          from: upload.offset,
          to: Math.min(upload.offset + chunkSize, size),
        });
    } catch (error) {
      // Found out before anything was sent: then all of it goes in one request.
      if (!(error instanceof NoParts) || upload.offset > 0) throw error;
      await this.#finish(ctx, upload, { from: 0, to: size });
      return;
    }
    await this.#finish(ctx, upload, undefined);
  }

  async #patch(ctx: Ctx, upload: Upload, range: ByteRange): Promise<void> {
    const message = await this.#sender.sendTo(ctx, upload.endpoint, {
      ...this.#common,
      method: 'PATCH',
      path: upload.location,
      headers: {
        'Content-Type': 'application/octet-stream',
        'Content-Length': String(range.to - range.from),
        'Content-Range': `${range.from}-${range.to - 1}`,
      },
      body: () => this.#body(ctx, range),
    });
    if (!isSuccess(message.statusCode)) throw await this.#refusal(message);
    message.resume();
    const { location = upload.location.href } = message.headers;
    upload.location = locationOf(upload.endpoint, upload.location, location);
    upload.offset = range.to;
  }

  /** The last request of an upload, with the whole blob where it is small. */
  async #finish(ctx: Ctx, upload: Upload, range: ByteRange | undefined): Promise<void> {
    const path = new URL(upload.location);
    path.searchParams.set('digest', this.#input.descriptor.digest);
    const session = range === undefined ? this.#session : this.#sender;
    const message = await session.sendTo(ctx, upload.endpoint, {
      ...this.#common,
      method: 'PUT',
      path,
      headers: {
        'Content-Type': 'application/octet-stream',
        'Content-Length': String(range === undefined ? 0 : range.to - range.from),
      },
      body: async () => (range === undefined ? Buffer.alloc(0) : await this.#body(ctx, range)),
    });
    const { statusCode } = message;
    if (!isSuccess(statusCode)) throw await this.#refusal(message);
    message.resume();
    // Any other success may be that of something in between, which kept the blob to itself.
    if (statusCode !== 201 && !(await this.exists(ctx)))
      throw unavailable(`the registry answered ${statusCode} and does not have the blob`);
  }

  #body(ctx: Ctx, range: ByteRange): Promise<Body> {
    const { onProgress = (): void => {}, source, descriptor } = this.#input;
    const onSent = (sent: number): void => onProgress(range.from + sent);
    return bodyFrom(ctx, this.#fetch, source, descriptor, range, onSent);
  }

  #refusal(message: Answer): Promise<Error> {
    return refusalOf(message, { action: 'push', repository: this.#input.repository });
  }
}

export async function pushBlob(
  sessions: Sessions,
  ctx: Ctx,
  input: PushBlob,
  options: UploadOptions,
): Promise<{ outcome: 'exists' | 'mounted' | 'uploaded' }> {
  const uploader = new Uploader(sessions, input, options);
  if (await uploader.exists(ctx)) return { outcome: 'exists' };
  const upload = await uploader.start(ctx, true);
  if (upload === undefined) return { outcome: 'mounted' };
  await uploader.send(ctx, upload);
  return { outcome: 'uploaded' };
}
