/**
 * What test files share in `.cache` is made by the first that asks; others that ask meanwhile, in processes of their own, wait for
 * it. What stands at its path is whole: `make` puts it there in one step, at its end.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/** Runs `work` while this process, and no other, has the lock `path`; a process that ends in whatever way gives it back. */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  const holder = spawn('flock', [path, 'sh', '-c', 'echo held; cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(holder, 'exit');
  try {
    const [first] = await Promise.race([once(holder.stdout, 'data'), exited]);
    if (String(first) !== 'held\n') throw new Error(`no lock on ${path}: flock ended with ${String(first)}`);
    return await work();
  } finally {
    holder.stdin.end();
    await exited;
  }
}

/** `path`, made if it is missing. */
export async function madeOnce(path: string, make: () => Promise<unknown>): Promise<string> {
  if (existsSync(path)) return path;
  await withLock(`${path}.lock`, async () => {
    if (!existsSync(path)) await make();
  });
  return path;
}
