/** Looks at the disk now and then, and after images have come in, and collects above the high mark. */

import { backgroundCtx } from '../../core/ctx.ts';
import { collect, dropArchives } from './collect.ts';
import type { Room } from './deps.ts';

const intervalMs = 60_000;

export interface DiskWatch {
  /** Something came in: have a look soon. */
  poke(): void;
  /** Resolves when a look that was asked for is over. */
  idle(): Promise<void>;
}

export function watchDisk(room: Room): DiskWatch {
  const ctx = backgroundCtx(room.log);
  let running: Promise<void> | undefined;
  let again = false;
  const look = async (): Promise<void> => {
    do {
      again = false;
      if (room.collecting.policy.keepBlobs === 'never') await dropArchives(room, ctx);
      if (room.collecting.policy.high === undefined) continue;
      const report = await collect(room, ctx, { dryRun: false, all: false });
      if (report.steps.length === 0) continue;
      const { bytes, steps, disk } = report;
      room.log.info('the disk is filling up: removed what nobody needs', { bytes, steps, disk });
    } while (again);
  };
  const poke = (): void => {
    again = true;
    running ??= look()
      .catch((error: unknown) => room.log.error('collecting images failed', { error }))
      .finally(() => (running = undefined));
  };
  setInterval(poke, intervalMs).unref();
  return {
    poke,
    idle: async () => {
      for (let round = running; round !== undefined; round = running) await round;
    },
  };
}
