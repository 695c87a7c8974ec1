/** Takes requests off the listeners, finds their operation and runs its route. */

import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { invalid, toSlipwayError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { BodyTooLarge } from './body.ts';
import { statusOf } from './errors.ts';
import { Exchange } from './exchange.ts';
import type { AnyOperationId } from './operations.ts';
import { Query } from './query.ts';
import { BadTarget, parseTarget, Router, type Match, type Target } from './router.ts';
import type { ApiServices, Route } from './services.ts';
import type { UnreadOutput } from './streams/head-read.ts';
import { isPlainHijack } from './streams/first-packet.ts';
import { UpgradeRequest } from './streams/take-over.ts';
import { maximumVersion, negotiate } from './versions.ts';

/** Operations whose connection may leave HTTP, and the protocol that they then speak. */
const upgrades: Partial<Readonly<Record<AnyOperationId, string>>> = {
  ContainerAttach: 'tcp',
  ExecStart: 'tcp',
  ContainerAttachWebsocket: 'websocket',
};

/** A client that is gone is no failure of ours; without a listener Node would end the process. */
function ignore(): void {}

/** How long the rest of a refused upload may take to come in. */
const discardMs = 60_000;

/**
 * The rest of an upload is not wanted, but it is read: closing would fail the client's next write, and it would tell of a broken
 * pipe and not of the error.
 */
function discardRest(request: IncomingMessage, response: ServerResponse): void {
  response.once('finish', () => {
    const timer = setTimeout(() => request.socket.destroy(), discardMs);
    timer.unref();
    request.once('end', () => clearTimeout(timer));
    request.once('close', () => clearTimeout(timer));
    request.unpipe();
    request.resume();
  });
}

export interface DispatcherOptions {
  /** For the `Server` header. */
  readonly productVersion: string;
  /** For `Docker-Experimental`: the docker CLI has commands that it does not show without. */
  readonly experimental: boolean;
  readonly log: Logger;
  readonly unreadOutput: UnreadOutput;
}

export class Dispatcher {
  readonly #router: Router;
  readonly #routes: Partial<Readonly<Record<AnyOperationId, Route>>>;
  readonly #services: ApiServices;
  readonly #options: DispatcherOptions;

  constructor(
    routes: Partial<Readonly<Record<AnyOperationId, Route>>>,
    services: ApiServices,
    options: DispatcherOptions,
  ) {
    this.#routes = routes;
    this.#router = new Router((operation) => routes[operation] !== undefined);
    this.#services = services;
    this.#options = options;
  }

  /** Whether Node should stop parsing this connection: only where a route takes it over. Other requests stay ordinary ones. */
  readonly acceptsUpgrade = (request: IncomingMessage): boolean => {
    const target = this.#target(request);
    const match = target === undefined ? undefined : this.#match(request, target);
    return match !== undefined && upgrades[match.operation] === request.headers.upgrade?.toLowerCase();
  };

  readonly onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    response.on('error', ignore);
    void this.#handle(request, response, undefined);
  };

  readonly onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const response = new ServerResponse(request);
    response.on('error', ignore);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.on('finish', () => socket.end());
    socket.on('error', ignore);
    const upgrade = new UpgradeRequest(request, socket, head, isPlainHijack(socket));
    void this.#handle(request, response, upgrade);
  };

  #target(request: IncomingMessage): Target | undefined {
    try {
      return parseTarget(request.url ?? '/');
    } catch (error) {
      if (error instanceof BadTarget) return undefined;
      throw error;
    }
  }

  #match(request: IncomingMessage, target: Target): Match | undefined {
    return this.#router.match(request.method ?? 'GET', target.path);
  }

  async #handle(
    request: IncomingMessage,
    response: ServerResponse,
    upgrade: UpgradeRequest | undefined,
  ): Promise<void> {
    let exchange: Exchange | undefined;
    try {
      const target = this.#target(request);
      if (target === undefined) throw invalid('invalid URL escape');
      const match = this.#match(request, target);
      if (match === undefined) return this.#unmatched(request, response, target);
      this.#commonHeaders(response);
      exchange = new Exchange({
        operation: match.operation,
        request,
        response,
        name: match.name,
        member: match.member,
        version: negotiate(target.version),
        query: new Query(target.query),
        log: this.#options.log,
        upgrade,
        unreadOutput: this.#options.unreadOutput,
      });
      await this.#routes[match.operation]?.(this.#services, exchange);
    } catch (error) {
      this.#fail(request, response, exchange, error);
    }
  }

  #commonHeaders(response: ServerResponse): void {
    response.setHeader('Api-Version', maximumVersion);
    response.setHeader('Docker-Experimental', String(this.#options.experimental));
    response.setHeader('Ostype', 'linux');
    response.setHeader('Server', `Slipway/${this.#options.productVersion} (linux)`);
  }

  #unmatched(request: IncomingMessage, response: ServerResponse, target: Target): void {
    if (request.method === 'OPTIONS') {
      this.#commonHeaders(response);
      response.writeHead(200, { 'Content-Length': 0 }).end();
      return;
    }
    if (target.path.includes('//')) {
      const clean = target.path.replaceAll(/\/{2,}/g, '/');
      const version = target.version === undefined ? '' : `/v${target.version}`;
      const query = target.query === '' ? '' : `?${target.query}`;
      response
        .writeHead(301, { Location: `${version}${encodeURI(clean)}${query}`, 'Content-Length': 0 })
        .end();
      return;
    }
    this.#answerError(request, response, 404, 'page not found');
  }

  #fail(
    request: IncomingMessage,
    response: ServerResponse,
    exchange: Exchange | undefined,
    thrown: unknown,
  ): void {
    const error = toSlipwayError(thrown);
    const { log } = this.#options;
    if (error.kind === 'internal') {
      const { method, url } = request;
      log.error('request failed', { method, url: url?.split('?', 1)[0], error, stack: error.stack });
    }
    if (exchange?.hijacked === true || response.headersSent || response.destroyed) {
      // Headers are out: nothing but the end of the stream can tell.
      response.destroy();
      return;
    }
    const status = error instanceof BodyTooLarge ? 413 : statusOf(error.kind);
    if (status === 304) response.writeHead(304).end();
    else this.#answerError(request, response, status, error.message);
  }

  #answerError(request: IncomingMessage, response: ServerResponse, status: number, message: string): void {
    const body = Buffer.from(`${JSON.stringify({ message })}\n`);
    if (!request.complete) discardRest(request, response);
    response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length });
    response.end(request.method === 'HEAD' ? undefined : body);
  }
}
