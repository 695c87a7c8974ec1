import type { Ctx } from '../../core/ctx.ts';
import type { Room } from './deps.ts';
import type { WaitCondition, Waiter, WaitResult } from './types.ts';
import type { Waiting } from './table.ts';

/** Registers a wait and returns at once. */
export function waitContainer(room: Room, ctx: Ctx, ref: string, condition: WaitCondition): Waiter {
  // Clients start a container with --rm and then wait for it: it may be gone by then, and is over all the same.
  const exitCode = room.table.departed(ref);
  if (exitCode !== undefined && room.table.get(ref) === undefined)
    return { result: Promise.resolve({ exitCode }) };
  const entry = room.table.resolve(ref);
  const { state } = entry.record;
  const over = state.status === 'created' || state.status === 'exited' || state.status === 'dead';
  if (condition === 'not-running' && over) return { result: Promise.resolve({ exitCode: state.exitCode }) };
  const { promise, resolve, reject } = Promise.withResolvers<WaitResult>();
  const waiting: Waiting = { condition, settle: resolve };
  entry.waiting.add(waiting);
  const cancel = (): void => {
    entry.waiting.delete(waiting);
    reject(ctx.signal.reason as Error);
  };
  ctx.signal.addEventListener('abort', cancel, { once: true });
  const result = promise.finally(() => ctx.signal.removeEventListener('abort', cancel));
  // Whoever registered may have gone away without looking.
  result.catch(() => {});
  return { result };
}
