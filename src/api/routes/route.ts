/** Types that route files share. */

import type { Exchange } from '../exchange.ts';
import type { AnyOperationId } from '../operations.ts';
import type { ApiServices } from '../services.ts';

export type RouteOf<O extends AnyOperationId> = (
  services: ApiServices,
  exchange: Exchange<O>,
) => Promise<void> | void;

/** Some operations, each with its own route. */
export type Routes<O extends AnyOperationId> = { readonly [K in O]: RouteOf<K> };
