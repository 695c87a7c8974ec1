/** Whether the API answers at once while the engine works: `/_ping` again and again on a connection of its own. */

import { setTimeout as delay } from 'node:timers/promises';
import { HttpClient } from './http.ts';

const intervalMs = 5;

export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
}

/** Begins to ask; `stop` returns how long each answer took, in milliseconds. */
export function watchPings(socket: string): { readonly stop: () => Promise<number[]> } {
  const http = new HttpClient(socket);
  const times: number[] = [];
  const state = { stopped: false };
  const loop = (async (): Promise<void> => {
    while (!state.stopped) {
      const start = performance.now();
      await http.request('GET', '/_ping');
      times.push(performance.now() - start);
      await delay(intervalMs);
    }
  })();
  return {
    stop: async () => {
      state.stopped = true;
      await loop;
      http.close();
      return times;
    },
  };
}
