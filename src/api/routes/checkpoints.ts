/** Checkpoints of containers: Docker's operations that are in no Swagger file. */

import type { Exchange } from '../exchange.ts';
import type { ApiServices } from '../services.ts';
import type { Routes } from './route.ts';

interface CreateBody {
  readonly CheckpointID?: string;
  readonly CheckpointDir?: string;
  readonly Exit?: boolean;
}

async function create(services: ApiServices, exchange: Exchange): Promise<void> {
  const body = (await exchange.body()) as unknown as CreateBody;
  await services.containers.createCheckpoint(exchange.ctx, exchange.name, {
    name: body.CheckpointID ?? '',
    directory: body.CheckpointDir ?? '',
    exit: body.Exit === true,
  });
  exchange.empty(201);
}

export const checkpointRoutes: Routes<
  'ContainerCheckpointList' | 'ContainerCheckpointCreate' | 'ContainerCheckpointDelete'
> = {
  ContainerCheckpointList: async (services, exchange) => {
    const directory = exchange.query.string('dir');
    const names = await services.containers.listCheckpoints(exchange.clientCtx, exchange.name, directory);
    const list = (names ?? []).map((name) => ({ Name: name }));
    // dockerd's list is a nil slice of Go when there is none.
    exchange.json(200, list.length === 0 ? null : list);
  },
  ContainerCheckpointCreate: create,
  ContainerCheckpointDelete: async (services, exchange) => {
    await services.containers.removeCheckpoint(exchange.ctx, exchange.name, {
      name: exchange.member,
      directory: exchange.query.string('dir'),
    });
    exchange.empty(204);
  },
};
