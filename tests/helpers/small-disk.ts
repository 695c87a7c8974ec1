/** A small filesystem of its own, in a file or in memory, that a test fills to the last block. */

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { isFull } from '../../src/core/errors.ts';

export const mebi = 1 << 20;

const makers = {
  ext4: ['/sbin/mke2fs', '-q', '-t', 'ext4', '-m', '0'],
  btrfs: ['mkfs.btrfs', '-q'],
  xfs: ['mkfs.xfs', '-q'],
} as const;

export type DiskKind = keyof typeof makers | 'tmpfs';

export interface DiskOptions {
  readonly bytes: number;
  /** More for the program that makes the filesystem. */
  readonly make?: readonly string[];
  /** More for mount's -o. */
  readonly mount?: string;
}

export interface SmallDisk {
  readonly path: string;
  /** Bytes that anybody may take. */
  free(): number;
  /** Takes every block that is left. */
  fill(): void;
  /** Gives back what `fill` and `greedy` took. */
  clear(): void;
  /** Somebody who takes every block that becomes free, all the time. */
  greedy(): { stop(): Promise<void> };
  close(): void;
}

/** Returns the bytes that there were. */
function takeAll(path: string): number {
  const file = openSync(path, 'w');
  let taken = 0;
  try {
    for (let size = mebi; size >= 512; size /= 2) {
      try {
        for (;;) taken += writeSync(file, Buffer.alloc(size, 1));
      } catch (error) {
        assert.ok(isFull(error), String(error));
      }
    }
  } finally {
    closeSync(file);
  }
  return taken;
}

export function mountDisk(kind: DiskKind, options: DiskOptions): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), 'slip-disk-'));
  const [path, image] = [join(folder, 'disk'), join(folder, 'image')];
  mkdirSync(path);
  const more = options.mount === undefined ? '' : `,${options.mount}`;
  if (kind === 'tmpfs') {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${options.bytes}${more}`, 'tmpfs', path]);
  } else {
    const [program, ...args] = makers[kind];
    writeFileSync(image, '');
    truncateSync(image, options.bytes);
    try {
      execFileSync(program, [...args, ...(options.make ?? []), image], { stdio: 'pipe' });
      execFileSync('mount', ['-t', kind, '-o', `loop${more}`, image, path], { stdio: 'pipe' });
    } catch (error) {
      rmSync(folder, { recursive: true });
      throw error;
    }
  }
  let fillers = 0;
  const filler = (): string => join(path, `filler-${fillers++}`);
  const free = (): number => {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  };
  return {
    path,
    free,
    fill: () => {
      // What was deleted becomes free when the filesystem has written that down.
      for (let round = 0; round < 10; round++) {
        execFileSync('sync', ['-f', path]);
        try {
          if (takeAll(filler()) === 0) return;
        } catch (error) {
          // Not even room for a name.
          if (isFull(error)) return;
          throw error;
        }
      }
    },
    clear: () => {
      while (fillers > 0) rmSync(join(path, `filler-${--fillers}`), { force: true });
    },
    greedy: () => {
      // An append a turn: bash's own printf, so that a turn costs no process.
      const script = 'printf -v block %4096s; while :; do printf %s "$block" >>"$1" || read -t 0.001; done';
      const child = spawn('bash', ['-c', `${script} 2>/dev/null`, 'greedy', filler()], {
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      return {
        stop: async () => {
          child.kill('SIGKILL');
          await ended;
        },
      };
    },
    close: () => {
      execFileSync('umount', [path]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
