/**
 * What the OCI runtime mounts over (`/proc`, `/etc/hosts`, ...) has to exist. An image often lacks some of it, and then every
 * start makes it in the container's own layer, where each file costs an inode, a copy of its directory, and deleting again. So it
 * is made once for each image, in a layer between the image's and the container's. A container that starts before that layer is
 * there does without: the runtime makes what is missing.
 */

import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { isErrno } from '../../../core/errors.ts';
import { derivedHex } from '../../../core/ids.ts';
import type { Logger } from '../../../core/log.ts';
import type { Host } from '../../../core/ports/host.ts';
import type { Trash } from '../../trash.ts';
import type { Layers } from './layers.ts';
import { fromSnapshot, type Layout } from './layout.ts';

export interface MountPointDeps {
  readonly host: Pick<Host, 'mount' | 'unmount' | 'openInRoot' | 'closeFd'>;
  readonly trash: Trash;
  readonly log: Logger;
}

const directories = ['dev', 'proc', 'sys', 'etc'];
const etcFiles = ['hosts', 'hostname', 'resolv.conf'];

/** Not while the first container of an image is being started. */
const delayMs = 500;

const nameOf = (chainId: string): string => derivedHex(16, 'points', chainId);

/** Makes something unless anything has that name; nothing is followed. */
function unlessThere(make: () => void): void {
  try {
    make();
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
}

export class MountPoints {
  readonly #deps: MountPointDeps;
  readonly #layout: Layout;
  readonly #layers: Layers;
  /** Names of those that are complete. */
  readonly #ready = new Set<string>();
  readonly #asked = new Map<string, NodeJS.Timeout>();
  readonly #making = new Set<Promise<void>>();
  readonly #maxLower: number;

  /** `maxLower`: bytes of lower directories that a mount can have. */
  constructor(deps: MountPointDeps, layout: Layout, layers: Layers, maxLower: number) {
    this.#maxLower = maxLower;
    this.#deps = deps;
    this.#layout = layout;
    this.#layers = layers;
  }

  /** Finds those of an earlier daemon, and drops what belongs to layers that are gone. */
  async recover(): Promise<void> {
    const wanted = new Set((await this.#layers.list()).map(nameOf));
    for (const name of await readdir(this.#layout.points)) {
      if (wanted.has(name)) this.#ready.add(name);
      else await this.#deps.trash.discard(join(this.#layout.points, name));
    }
  }

  /** The lower directory to put above the layer, relative to the overlay2 directory; undefined while there is none. */
  of(chainId: string): string | undefined {
    const name = nameOf(chainId);
    return this.#ready.has(name) ? `points/${name}` : undefined;
  }

  makeSoon(chainId: string): void {
    const name = nameOf(chainId);
    if (this.#ready.has(name) || this.#asked.has(name)) return;
    const begin = (): void => {
      const making = this.#make(chainId)
        .catch((error: unknown) =>
          this.#deps.log.warn('no layer of mount points; starts will be slower', { layer: chainId, error }),
        )
        .finally(() => this.#making.delete(making));
      this.#making.add(making);
    };
    this.#asked.set(name, setTimeout(begin, delayMs).unref());
  }

  /** Begins no more of them, and waits for those under way. */
  async settle(): Promise<void> {
    for (const timer of this.#asked.values()) clearTimeout(timer);
    await Promise.all(this.#making);
  }

  async #make(chainId: string): Promise<void> {
    const facts = await this.#layers.find(chainId);
    const name = nameOf(chainId);
    if (facts === undefined) return;
    if (fromSnapshot(`points/${name}:${facts.lower}`).length > this.#maxLower) return;
    const staged = await this.#layers.stage();
    try {
      await this.#fill(facts.lower, staged);
      await rename(staged.diff, join(this.#layout.points, name));
      this.#ready.add(name);
    } catch (error) {
      if (!isErrno(error, 'EEXIST') && !isErrno(error, 'ENOTEMPTY')) throw error;
      this.#ready.add(name);
    } finally {
      await this.#layers.discardStaged(staged.path);
    }
  }

  /** Through a mount, so that a directory of the image comes along with all its attributes. */
  async #fill(lower: string, staged: { readonly path: string; readonly diff: string }): Promise<void> {
    const [target, work] = [join(staged.path, 'merged'), join(staged.path, 'work')];
    for (const path of [target, work]) await mkdir(path, { mode: 0o700 });
    const own = (path: string): string => relative(this.#layout.root, path);
    const data = `lowerdir=${lower},upperdir=${own(staged.diff)},workdir=${own(work)}`;
    await this.#deps.host.mount({
      source: 'overlay',
      target,
      fstype: 'overlay',
      flags: [],
      data: `${data},index=off,redirect_dir=off,metacopy=off,volatile`,
      cwd: this.#layout.root,
    });
    try {
      await this.#within(target, '/', (at) => {
        for (const directory of directories)
          unlessThere(() => mkdirSync(`${at}/${directory}`, { mode: 0o755 }));
      });
      await this.#within(target, '/etc', (at) => {
        const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
        for (const file of etcFiles) unlessThere(() => closeSync(openSync(`${at}/${file}`, flags, 0o755)));
      });
    } finally {
      await this.#deps.host.unmount(target);
    }
  }

  /** With a path that leads to this directory and nowhere else; nothing happens where an image has a link or a file there. */
  async #within(root: string, path: string, work: (at: string) => void): Promise<void> {
    let fd: number;
    try {
      const flags = constants.O_RDONLY | constants.O_DIRECTORY;
      fd = await this.#deps.host.openInRoot(root, path, { flags, noSymlinks: true });
    } catch {
      return;
    }
    try {
      work(`/proc/self/fd/${fd}`);
    } finally {
      this.#deps.host.closeFd(fd);
    }
  }

  async remove(chainId: string): Promise<void> {
    const name = nameOf(chainId);
    this.#asked.delete(name);
    if (this.#ready.delete(name)) await this.#deps.trash.discard(join(this.#layout.points, name));
  }
}
