/** Containers: everything but their streams. */

import { invalid } from '../../core/errors.ts';
import type { ContainerConfig } from '../../core/model/container-spec.ts';
import type { StopInput, WaitCondition } from '../../services/containers/index.ts';
import { encodeChanges, encodeContainer, encodeSummary, encodeTop } from '../encode/containers.ts';
import type { Exchange } from '../exchange.ts';
import { hasBody } from '../body.ts';
import { sendStream } from '../streams/send.ts';
import type { ApiServices } from '../services.ts';
import { stopTakesSignal } from '../versions.ts';
import { createBody } from './container-create.ts';
import type { Routes } from './route.ts';

function stopInput(exchange: Exchange): StopInput {
  const signal = stopTakesSignal(exchange.version) ? exchange.query.optional('signal') : undefined;
  return { signal, timeout: exchange.query.integer('t') };
}

async function start(services: ApiServices, exchange: Exchange): Promise<void> {
  // Docker took a host config here once; a client that still sends one would silently get something else.
  const declared = Number(exchange.header('content-length') ?? 0);
  if (hasBody(exchange.request) && declared > 7) {
    throw invalid(
      'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24',
    );
  }
  await services.containers.start(exchange.ctx, exchange.name, {
    checkpoint: exchange.query.string('checkpoint'),
    directory: exchange.query.string('checkpoint-dir'),
  });
  exchange.empty(204);
}

const conditions: Readonly<Record<string, WaitCondition>> = {
  '': 'not-running',
  'not-running': 'not-running',
  'next-exit': 'next-exit',
  removed: 'removed',
};

/** The headers go out before the exit, so that the client knows that its wait is registered and may start the container. */
async function wait(services: ApiServices, exchange: Exchange): Promise<void> {
  const text = exchange.query.string('condition');
  const condition = Object.hasOwn(conditions, text) ? conditions[text] : undefined;
  if (condition === undefined) throw invalid(`invalid condition: "${text}"`);
  const ctx = exchange.clientCtx;
  const waiter = services.containers.wait(ctx, exchange.name, condition);
  const response = exchange.stream(200, 'application/json');
  try {
    const { exitCode, error } = await waiter.result;
    response.end(
      `${JSON.stringify({ StatusCode: exitCode, ...(error === undefined ? {} : { Error: { Message: error } }) })}\n`,
    );
  } catch (error) {
    if (!ctx.signal.aborted) throw error;
  }
}

async function update(services: ApiServices, exchange: Exchange<'ContainerUpdate'>): Promise<void> {
  const { RestartPolicy: restartPolicy, ...resources } = await exchange.body();
  const { warnings } = await services.containers.update(exchange.ctx, exchange.name, {
    resources: resources,
    restartPolicy: restartPolicy,
  });
  exchange.json(200, { Warnings: warnings.length === 0 ? null : warnings });
}

/** Clients of old send a config beside the changes; most send none. */
async function commit(services: ApiServices, exchange: Exchange<'ImageCommit'>): Promise<void> {
  const { query } = exchange;
  const body = await exchange.body();
  const container = query.string('container');
  if (container === '') throw invalid('invalid name or ID supplied: ""');
  const { id } = await services.containers.commit(exchange.ctx, container, {
    repository: query.string('repo'),
    tag: query.string('tag'),
    comment: query.string('comment'),
    author: query.string('author'),
    pause: query.bool('pause', true),
    changes: query.list('changes'),
    config: Object.keys(body).length === 0 ? undefined : (body as ContainerConfig),
  });
  exchange.json(201, { Id: id });
}

async function create(services: ApiServices, exchange: Exchange<'ContainerCreate'>): Promise<void> {
  const input = createBody(await exchange.requiredBody(), exchange.version);
  const result = await services.containers.create(exchange.ctx, {
    name: exchange.query.optional('name'),
    platform: exchange.query.optional('platform'),
    config: input.config,
    hostConfig: input.hostConfig,
    networkingConfig: input.networkingConfig,
  });
  exchange.json(201, { Id: result.id, Warnings: [...input.warnings, ...result.warnings] });
}

export const containerRoutes: Routes<
  | 'ContainerList'
  | 'ContainerCreate'
  | 'ContainerInspect'
  | 'ContainerTop'
  | 'ContainerChanges'
  | 'ContainerExport'
  | 'ContainerStart'
  | 'ContainerStop'
  | 'ContainerRestart'
  | 'ContainerKill'
  | 'ContainerUpdate'
  | 'ContainerRename'
  | 'ContainerPause'
  | 'ContainerUnpause'
  | 'ContainerResize'
  | 'ContainerWait'
  | 'ContainerDelete'
  | 'ContainerPrune'
  | 'ImageCommit'
> = {
  ContainerList: async (services, exchange) => {
    const { query, version } = exchange;
    const containers = await services.containers.list(exchange.clientCtx, {
      all: query.bool('all'),
      limit: query.integer('limit') ?? 0,
      size: query.bool('size'),
      filters: query.filters(),
    });
    exchange.json(
      200,
      containers.map((container) => encodeSummary(container, version)),
    );
  },
  ContainerCreate: create,
  ContainerInspect: async (services, exchange) => {
    const size = exchange.query.bool('size');
    const view = await services.containers.inspect(exchange.clientCtx, exchange.name, { size });
    exchange.json(200, encodeContainer(view, exchange.version));
  },
  ContainerTop: async (services, exchange) => {
    const psArguments = exchange.query.string('ps_args');
    exchange.json(
      200,
      encodeTop(await services.containers.top(exchange.clientCtx, exchange.name, psArguments)),
    );
  },
  ContainerChanges: async (services, exchange) => {
    const changes = await services.containers.changes(exchange.clientCtx, exchange.name);
    exchange.json(200, encodeChanges(changes));
  },
  ContainerExport: async (services, exchange) => {
    const archive = await services.containers.export(exchange.clientCtx, exchange.name);
    await sendStream(exchange, 'application/octet-stream', archive);
  },
  ContainerStart: start,
  ContainerStop: async (services, exchange) => {
    await services.containers.stop(exchange.ctx, exchange.name, stopInput(exchange));
    exchange.empty(204);
  },
  ContainerRestart: async (services, exchange) => {
    await services.containers.restart(exchange.ctx, exchange.name, stopInput(exchange));
    exchange.empty(204);
  },
  ContainerKill: async (services, exchange) => {
    await services.containers.kill(exchange.ctx, exchange.name, exchange.query.optional('signal'));
    exchange.empty(204);
  },
  ContainerUpdate: update,
  ContainerRename: async (services, exchange) => {
    await services.containers.rename(exchange.ctx, exchange.name, exchange.query.string('name'));
    exchange.empty(204);
  },
  ContainerPause: async (services, exchange) => {
    await services.containers.pause(exchange.ctx, exchange.name);
    exchange.empty(204);
  },
  ContainerUnpause: async (services, exchange) => {
    await services.containers.unpause(exchange.ctx, exchange.name);
    exchange.empty(204);
  },
  ContainerResize: async (services, exchange) => {
    const rows = exchange.query.requiredInteger('h');
    const columns = exchange.query.requiredInteger('w');
    await services.containers.resize(exchange.ctx, exchange.name, rows, columns);
    exchange.empty(200);
  },
  ContainerWait: wait,
  ContainerDelete: async (services, exchange) => {
    const { query } = exchange;
    await services.containers.remove(exchange.ctx, exchange.name, {
      force: query.bool('force'),
      volumes: query.bool('v'),
      link: query.bool('link'),
    });
    exchange.empty(204);
  },
  ImageCommit: commit,
  ContainerPrune: async (services, exchange) => {
    const result = await services.containers.prune(exchange.ctx, exchange.query.filters());
    exchange.json(200, {
      ContainersDeleted: result.removed.length === 0 ? null : result.removed,
      SpaceReclaimed: result.spaceReclaimed,
    });
  },
};
