/** One request and its answer, as the routes see them. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Ctx } from '../core/ctx.ts';
import type { Logger } from '../core/log.ts';
import { hasBody, readText, requireJson } from './body.ts';
import { decodeBody } from './decode/body.ts';
import type { Operations } from './generated/types.ts';
import type { AnyOperationId } from './operations.ts';
import type { Query } from './query.ts';
import type { UnreadOutput } from './streams/head-read.ts';
import { takeOver, type HijackedStream, type UpgradeRequest } from './streams/take-over.ts';
import type { ApiVersion } from './versions.ts';

export type BodyOf<O extends AnyOperationId> = O extends keyof Operations
  ? Operations[O] extends { readonly body: infer B }
    ? B
    : never
  : never;

export interface ExchangeInput {
  readonly operation: AnyOperationId;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly name: string;
  /** The second name of a path that has two. */
  readonly member: string;
  readonly query: Query;
  readonly version: ApiVersion;
  readonly log: Logger;
  /** Present when the request came with an Upgrade header that the server accepted. */
  readonly upgrade: UpgradeRequest | undefined;
  readonly unreadOutput: UnreadOutput;
}

const neverAborted = new AbortController().signal;

export class Exchange<O extends AnyOperationId = AnyOperationId> {
  readonly operation: AnyOperationId;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly name: string;
  readonly member: string;
  readonly query: Query;
  readonly version: ApiVersion;
  /** For work that goes on when the client leaves, as starting a container does. */
  readonly ctx: Ctx;
  readonly #upgrade: UpgradeRequest | undefined;
  readonly #unread: UnreadOutput;
  #hijacked = false;
  #streamCtx: Ctx | undefined;

  constructor(input: ExchangeInput) {
    this.operation = input.operation;
    this.request = input.request;
    this.response = input.response;
    this.name = input.name;
    this.member = input.member;
    this.query = input.query;
    this.version = input.version;
    this.#upgrade = input.upgrade;
    this.#unread = input.unreadOutput;
    this.ctx = { signal: neverAborted, log: input.log };
  }

  get upgraded(): boolean {
    return this.#upgrade !== undefined;
  }

  /** Whether the connection left HTTP: errors can no longer be answered. */
  get hijacked(): boolean {
    return this.#hijacked;
  }

  /** For work that only this client waits for: cancelled when it leaves before the answer is complete. */
  get clientCtx(): Ctx {
    if (this.#streamCtx !== undefined) return this.#streamCtx;
    const controller = new AbortController();
    const { response } = this;
    response.once('close', () => {
      if (!response.writableFinished) controller.abort(new Error('the client left'));
    });
    if (response.destroyed) controller.abort(new Error('the client left'));
    this.#streamCtx = { signal: controller.signal, log: this.ctx.log };
    return this.#streamCtx;
  }

  /** The decoded JSON body; `{}` when there is none. */
  async body(): Promise<BodyOf<O>> {
    requireJson(this.request);
    if (!hasBody(this.request)) return {} as BodyOf<O>;
    return decodeBody(this.operation, await this.#bodyText()) as BodyOf<O>;
  }

  /** As `body`, but refuses an absent one, as dockerd does where there is nothing to do without. */
  async requiredBody(): Promise<BodyOf<O>> {
    requireJson(this.request);
    return decodeBody(this.operation, await this.#bodyText()) as BodyOf<O>;
  }

  async #bodyText(): Promise<string> {
    return this.#upgrade === undefined ? await readText(this.request) : await this.#upgrade.readBody();
  }

  /** Reads past a body that the operation has no use for: what follows on a hijacked connection is stdin. */
  async skipBody(): Promise<void> {
    if (hasBody(this.request)) await this.#bodyText();
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return typeof value === 'string' ? value : value?.join(', ');
  }

  json(status: number, value: unknown): void {
    this.send(status, 'application/json', JSON.stringify(value));
  }

  /** Sends a whole answer. */
  send(status: number, contentType: string, text: string): void {
    const length = Buffer.byteLength(text);
    this.response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': length });
    // A string goes out in one write together with the head.
    this.response.end(this.request.method === 'HEAD' ? undefined : text);
  }

  empty(status: number): void {
    this.response.writeHead(status);
    this.response.end();
  }

  /** Sends the headers at once; the body follows. */
  stream(status: number, contentType: string | undefined): ServerResponse {
    this.response.writeHead(status, contentType === undefined ? {} : { 'Content-Type': contentType });
    this.response.flushHeaders();
    return this.response;
  }

  /** Takes the connection out of HTTP and answers `101` (when the client asked for an upgrade) or `200`. */
  hijack(contentType: string): HijackedStream {
    this.#hijacked = true;
    const headers = { 'Content-Type': contentType };
    return takeOver(this.request, this.response, this.#upgrade, headers, this.#unread);
  }

  /** The same for a WebSocket, whose key the client wants answered. */
  hijackWebSocket(accept: string): HijackedStream {
    this.#hijacked = true;
    const headers = { 'Sec-WebSocket-Accept': accept };
    return takeOver(this.request, this.response, this.#upgrade, headers, this.#unread);
  }
}
