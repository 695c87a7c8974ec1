/** What the system service is made of; given by the composition root. */

import type { Ctx } from '../../core/ctx.ts';
import type { EventBus } from '../../core/events.ts';
import type { RecordStore } from '../../core/ports/record-store.ts';
import type { ContainerService, ReconcileAction } from '../containers/index.ts';
import type { ImageService } from '../images/index.ts';
import type { VolumeService } from '../volumes/index.ts';
import type { EngineFacts } from './types.ts';

export interface SystemDeps {
  readonly engine: EngineFacts;
  readonly containers: Pick<ContainerService, 'counts' | 'list'>;
  readonly images: Pick<ImageService, 'list' | 'usage'>;
  readonly volumes: Pick<VolumeService, 'usage'>;
  readonly events: EventBus;
  readonly records: Pick<RecordStore, 'damaged'>;
  /** Plans and carries out what reconciling finds. */
  readonly repair: (ctx: Ctx, options: { readonly dryRun: boolean }) => Promise<readonly ReconcileAction[]>;
  /** Warnings that arise while running (firewall, networks), asked at each `info`. */
  readonly warnings: () => readonly string[];
}
