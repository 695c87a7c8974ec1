/** Types that route files share. */

import type { Exchange } from '../exchange.ts';
import type { OperationId } from '../generated/types.ts';
import type { ApiServices } from '../services.ts';

export type RouteOf<O extends OperationId> = (
  services: ApiServices,
  exchange: Exchange<O>,
) => Promise<void> | void;

/** Some operations, each with its own route. */
export type Routes<O extends OperationId> = { readonly [K in O]: RouteOf<K> };
