/** Progress messages in Docker's form, thinned out: a client redraws, it does not need every chunk. */

import { Transform } from 'node:stream';
import { shortId } from '../../core/ids.ts';
import type { OnProgress } from './types.ts';

const units = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Four significant digits in powers of a thousand, as Docker writes sizes. */
export function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${units[unit] ?? ''}`;
}

/** `[====>      ]  1.2MB/3MB`, for clients that do not draw a bar themselves. */
export function progressBar(current: number, total: number): string {
  if (total <= 0) return humanSize(current);
  const filled = Math.min(50, Math.floor((current / total) * 50));
  const bar = `${'='.repeat(filled)}>`.padEnd(51).slice(0, 51);
  return `[${bar}] ${humanSize(current).padStart(7)}/${humanSize(total)}`;
}

const intervalMs = 100;

/** Reports bytes of one layer (none: `id` is empty) under a status (`Downloading`, `Extracting`), at most ten times a second, and the last; `total` is -1 when nobody knows. */
export function createMeter(
  onProgress: OnProgress,
  status: string,
  id: string,
  total: number,
): { add(bytes: number): void; set(current: number): void } {
  let current = 0;
  let last = 0;
  const say = (): void => {
    const now = performance.now();
    if (now - last < intervalMs && current < total) return;
    last = now;
    const progress = progressBar(current, total);
    onProgress({
      status,
      progressDetail: { current, total },
      progress,
      ...(id !== '' && { id: shortId(id) }),
    });
  };
  return {
    add: (bytes) => {
      current += bytes;
      say();
    },
    set: (value) => {
      current = value;
      say();
    },
  };
}

/** Passes bytes through and reports how many. */
export function meterStream(add: (bytes: number) => void): Transform {
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      add(chunk.length);
      done(null, chunk);
    },
  });
}
