/** Interfaces that outlive their containers: removed a while after, off the path of stops and starts. */

import { backgroundCtx, type Ctx } from '../../core/ctx.ts';
import type { Networks } from './deps.ts';

const delayMs = 5000;
const timers = new WeakMap<Networks, NodeJS.Timeout>();

/**
 * The kernel collects the interfaces of an ended container with its namespace, which takes it a while but costs us
 * nothing. One that is still there later (another process holds the namespace) is deleted, which takes tens of milliseconds.
 */
export function scheduleSweep(room: Networks): void {
  if (timers.has(room)) return;
  const timer = setTimeout(() => {
    timers.delete(room);
    void sweep(room, backgroundCtx(room.log)).catch((error: unknown) =>
      room.log.warn('could not remove interfaces of ended containers', { error }),
    );
  }, delayMs);
  timer.unref();
  timers.set(room, timer);
}

export async function sweep(room: Networks, ctx: Ctx): Promise<void> {
  const names = new Set(room.leaving.keys());
  room.leaving.clear();
  for (const driver of room.drivers) {
    const { endpoints } = await driver.list(ctx);
    const stray = endpoints.filter((name) => names.has(name));
    if (stray.length > 0) await driver.removeStray(ctx, { networks: [], endpoints: stray });
  }
}

export function cancelSweep(room: Networks): void {
  clearTimeout(timers.get(room));
  timers.delete(room);
}
