/** Every operation that is served. What is not here is listed in docs/api-not-served.md. */

import type { AnyOperationId } from '../operations.ts';
import type { Route } from '../services.ts';
import { checkpointRoutes } from './checkpoints.ts';
import { containerStreamRoutes } from './container-streams.ts';
import { containerRoutes } from './containers.ts';
import { execRoutes } from './exec.ts';
import { imageRoutes } from './images.ts';
import { networkRoutes } from './networks.ts';
import { registryRoutes } from './registries.ts';
import { systemRoutes } from './system.ts';
import { volumeRoutes } from './volumes.ts';

const all = {
  ...systemRoutes,
  ...containerRoutes,
  ...checkpointRoutes,
  ...containerStreamRoutes,
  ...execRoutes,
  ...imageRoutes,
  ...networkRoutes,
  ...registryRoutes,
  ...volumeRoutes,
};

/** A route knows its own operation; the router sees to it that it gets no other. */
export const routes = all as unknown as Partial<Readonly<Record<AnyOperationId, Route>>>;
