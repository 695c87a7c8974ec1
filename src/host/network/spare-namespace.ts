/**
 * One network namespace that is ready before it is asked for. Making one is a third of what a start waits for before its process is
 * spawned, and nothing in it depends on the container: it is made while the processors have nothing else to do. Each is given away once.
 */

import type { Host } from '../../core/ports/host.ts';

type Made = Awaited<ReturnType<Host['createNetns']>>;

export interface SpareNamespace {
  /** The one that is ready, or is being made; else a new one. */
  take(): Promise<Made>;
  /** Begins to make the next, unless there is one; a failure is left to who needs it. */
  refill(): void;
  /** Gives back what nobody took. */
  close(): Promise<void>;
}

export function createSpareNamespace(host: Pick<Host, 'createNetns' | 'closeFd'>): SpareNamespace {
  let spare: Promise<Made | undefined> | undefined;
  let closed = false;
  const taken = (): Promise<Made | undefined> | undefined => {
    const ready = spare;
    spare = undefined;
    return ready;
  };
  return {
    take: async () => (await taken()) ?? (await host.createNetns()),
    refill() {
      if (closed) return;
      spare ??= host.createNetns().catch(() => undefined);
    },
    async close() {
      closed = true;
      const left = await taken();
      if (left !== undefined) host.closeFd(left.fd);
    },
  };
}
