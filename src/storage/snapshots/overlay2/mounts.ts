/**
 * What of the snapshots is mounted. The kernel writes a whole filesystem out when an overlay is unmounted, which takes
 * milliseconds: a container that ended gives its mount back with `release`, and it is taken down in a lull, together with others. A
 * start that comes before finds it mounted, a removal moves it aside as it is.
 */

import { lstat, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, isFull, notFound } from '../../../core/errors.ts';
import { newId } from '../../../core/ids.ts';
import type { Logger } from '../../../core/log.ts';
import type { Host } from '../../../core/ports/host.ts';
import type { Trash } from '../../trash.ts';
import type { Layout } from './layout.ts';

export interface MountDeps {
  readonly host: Pick<Host, 'unmount'>;
  readonly trash: Trash;
  readonly log: Logger;
}

interface Released {
  /** Holds the mount point, `merged`. */
  readonly directory: string;
  /** Whether the snapshot was removed meanwhile. */
  readonly removed: boolean;
}

const lullMs = 300;
const latestMs = 3000;
/** Every mount that stands is copied into the mount namespace of each container that starts. */
const mostReleased = 8;

export class SnapshotMounts {
  readonly #deps: MountDeps;
  readonly #layout: Layout;
  readonly #released = new Map<string, Released>();
  /** Being unmounted, by key. */
  readonly #leaving = new Map<string, Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #waitingSince = 0;

  constructor(deps: MountDeps, layout: Layout) {
    this.#deps = deps;
    this.#layout = layout;
  }

  /** A mount point is on another device than the directory that holds it. `notFound` without such a snapshot. */
  async isMounted(key: string): Promise<boolean> {
    const path = this.#layout.snapshot(key);
    try {
      const [own, merged] = await Promise.all([lstat(path), lstat(join(path, 'merged'))]);
      return own.dev !== merged.dev;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) throw notFound(`snapshot ${key} does not exist`);
      throw error;
    }
  }

  /** For who is going to use it: whether it is mounted, and if so it stays. */
  async keep(key: string): Promise<boolean> {
    this.#released.delete(key);
    await this.#leaving.get(key);
    return await this.isMounted(key);
  }

  release(key: string): void {
    this.#put(key, { directory: this.#layout.snapshot(key), removed: false });
  }

  async unmount(key: string): Promise<void> {
    const mounted = await this.keep(key).catch(() => false);
    if (mounted) await this.#deps.host.unmount(join(this.#layout.snapshot(key), 'merged'));
  }

  /** Takes the snapshot away. Idempotent. */
  async remove(key: string): Promise<void> {
    const directory = this.#layout.snapshot(key);
    if (!this.#released.delete(key)) {
      await this.unmount(key);
      await this.#deps.trash.discard(directory);
      return;
    }
    const id = newId();
    const aside = join(this.#layout.removed, id);
    try {
      await rename(directory, aside);
    } catch (error) {
      if (!isFull(error)) throw error;
      // Not even room for another name: then it goes at once.
      await this.unmount(key);
      await this.#deps.trash.discard(directory);
      return;
    }
    this.#put(id, { directory: aside, removed: true });
  }

  /** Resolves when nothing that was released stands any more. */
  async settle(): Promise<void> {
    this.#flush();
    while (this.#leaving.size > 0) await Promise.all(this.#leaving.values());
  }

  /** What a daemon before this one had moved aside. */
  async recover(): Promise<void> {
    for (const id of await readdir(this.#layout.removed))
      this.#put(id, { directory: join(this.#layout.removed, id), removed: true });
  }

  #put(key: string, released: Released): void {
    this.#released.set(key, released);
    clearTimeout(this.#timer);
    if (this.#released.size >= mostReleased) {
      this.#flush();
      return;
    }
    const now = performance.now();
    if (this.#released.size === 1) this.#waitingSince = now;
    const patience = Math.min(lullMs, Math.max(0, this.#waitingSince + latestMs - now));
    this.#timer = setTimeout(() => this.#flush(), patience).unref();
  }

  /** One after another: the first writes everything out, the others find little left. */
  #flush(): void {
    clearTimeout(this.#timer);
    let before: Promise<void> = Promise.resolve();
    for (const [key, released] of this.#released) {
      before = before.then(() => this.#takeDown(key, released)).finally(() => this.#leaving.delete(key));
      this.#leaving.set(key, before);
    }
    this.#released.clear();
  }

  async #takeDown(key: string, { directory, removed }: Released): Promise<void> {
    try {
      const point = join(directory, 'merged');
      const [own, merged] = await Promise.all([lstat(directory), lstat(point)]);
      if (own.dev !== merged.dev) await this.#deps.host.unmount(point);
      if (removed) await this.#deps.trash.discard(directory);
    } catch (error) {
      // Somebody is in there: tried again at the next start of the daemon, at the latest.
      this.#deps.log.warn('snapshot not unmounted', { snapshot: key, error });
    }
  }
}
