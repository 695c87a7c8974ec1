/** What the API calls: the services' interfaces, given by the composition root. */

import type { ContainerService } from '../services/containers/index.ts';
import type { ImageService } from '../services/images/index.ts';
import type { NetworkVerbs } from '../services/networks/index.ts';
import type { SystemService } from '../services/system/index.ts';
import type { VolumeService } from '../services/volumes/index.ts';
import type { Exchange } from './exchange.ts';

export interface ApiServices {
  readonly containers: ContainerService;
  readonly images: ImageService;
  readonly networks: NetworkVerbs;
  readonly volumes: VolumeService;
  readonly system: SystemService;
}

/** Decodes, calls one service, encodes. What it throws becomes the answer. */
export type Route = (services: ApiServices, exchange: Exchange) => Promise<void> | void;
