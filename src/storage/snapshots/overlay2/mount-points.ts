/**
 * What the OCI runtime mounts over (`/proc`, `/etc/hosts`, volumes, ...) has to exist. An image often lacks some of it, and then every
 * start makes it in the container's own layer, where each file costs an inode, a copy of its directory, and deleting again. So it
 * is made once, in a layer between the image's and the container's: one for each image with what every container has, and one for each
 * set of further places that containers of that image were made with twice. A container that is made before that layer is
 * there does without: the runtime makes what is missing.
 */

import { mkdir, readdir, rename } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { isErrno } from '../../../core/errors.ts';
import { derivedHex } from '../../../core/ids.ts';
import type { Logger } from '../../../core/log.ts';
import type { Host } from '../../../core/ports/host.ts';
import type { MountPlace } from '../../../core/ports/snapshot-driver.ts';
import type { Trash } from '../../trash.ts';
import type { LayerFacts, Layers } from './layers.ts';
import { fromSnapshot, type Layout } from './layout.ts';
import { basePlaces, makeMtab, makePlace, worthwhile } from './mount-places.ts';

export interface MountPointDeps {
  readonly host: Pick<Host, 'mount' | 'unmount' | 'openInRoot' | 'closeFd'>;
  readonly trash: Trash;
  readonly log: Logger;
}

/** Not while the first container of an image is being started. */
const delayMs = 500;
/** Layers for sets of places: beyond that there are no new ones until a daemon starts and finds some that nobody stands on. */
const mostSets = 64;
/** For more, which sets have been asked for is forgotten. */
const mostSeen = 1000;

const nameOf = (chainId: string, set?: string): string => {
  const base = derivedHex(16, 'points with mtab', chainId);
  return set === undefined ? base : `${base}-${set}`;
};
const isSet = (name: string): boolean => name.includes('-');

export class MountPoints {
  readonly #deps: MountPointDeps;
  readonly #layout: Layout;
  readonly #layers: Layers;
  /** Names of those that are complete. */
  readonly #ready = new Set<string>();
  /** Names of sets of which the image has everything. */
  readonly #needless = new Set<string>();
  readonly #seen = new Set<string>();
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

  /** Finds those of an earlier daemon, and drops what belongs to layers that are gone, and sets beyond half of the most that no snapshot stands on. */
  async recover(setsInUse: () => Promise<ReadonlySet<string>>): Promise<void> {
    const wanted = new Set((await this.#layers.list()).map((chainId) => nameOf(chainId)));
    const names = await readdir(this.#layout.points);
    const inUse = names.filter(isSet).length > mostSets / 2 ? await setsInUse() : undefined;
    for (const name of names) {
      const [base = '', set] = name.split('-');
      const isUsed = set === undefined || inUse === undefined || inUse.has(set);
      if (wanted.has(base) && isUsed) this.#ready.add(name);
      else await this.#deps.trash.discard(join(this.#layout.points, name));
    }
  }

  /** The lower directory to put above the layer, relative to the overlay2 directory; undefined while there is none. */
  of(chainId: string, set: string | undefined): string | undefined {
    const names = set === undefined ? [nameOf(chainId)] : [nameOf(chainId, set), nameOf(chainId)];
    const name = names.find((each) => this.#ready.has(each));
    return name === undefined ? undefined : `points/${name}`;
  }

  /** For a snapshot that is being made: the set that it stands on from now on, 14 hex digits; undefined while there is none. Has it made soon. */
  choose(chainId: string, places: readonly MountPlace[]): string | undefined {
    const further = worthwhile(places);
    const set = derivedHex(
      14,
      'places',
      ...further.map(({ kind, mode, path }) => `${kind} ${mode ?? ''} ${path}`),
    );
    const name = nameOf(chainId, set);
    if (further.length > 0 && this.#ready.has(name)) return set;
    this.#makeSoon(chainId, undefined, []);
    if (further.length === 0 || this.#needless.has(name)) return undefined;
    if (this.#seen.has(name)) this.#makeSoon(chainId, set, further);
    if (this.#seen.size >= mostSeen) this.#seen.clear();
    this.#seen.add(name);
    return undefined;
  }

  #makeSoon(chainId: string, set: string | undefined, further: readonly MountPlace[]): void {
    const name = nameOf(chainId, set);
    if (this.#ready.has(name) || this.#asked.has(name)) return;
    if (set !== undefined && [...this.#ready].filter(isSet).length >= mostSets) return;
    const begin = (): void => {
      const making = this.#make(chainId, set, further)
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

  async #make(chainId: string, set: string | undefined, further: readonly MountPlace[]): Promise<void> {
    const facts: LayerFacts | undefined = await this.#layers.find(chainId);
    const name = nameOf(chainId, set);
    if (facts === undefined) return;
    if (fromSnapshot(`points/${name}:${facts.lower}`).length > this.#maxLower) return;
    const staged = await this.#layers.stage();
    try {
      const made = await this.#fill(facts.lower, staged, further);
      if (set !== undefined && !made) {
        this.#needless.add(name);
        return;
      }
      await rename(staged.diff, join(this.#layout.points, name));
      this.#ready.add(name);
    } catch (error) {
      if (!isErrno(error, 'EEXIST') && !isErrno(error, 'ENOTEMPTY')) throw error;
      this.#ready.add(name);
    } finally {
      await this.#layers.discardStaged(staged.path);
    }
  }

  /** Through a mount, so that a directory of the image comes along with all its attributes. Whether any of the further places was missing. */
  async #fill(
    lower: string,
    staged: { readonly path: string; readonly diff: string },
    further: readonly MountPlace[],
  ): Promise<boolean> {
    const { host } = this.#deps;
    const [target, work] = [join(staged.path, 'merged'), join(staged.path, 'work')];
    for (const path of [target, work]) await mkdir(path, { mode: 0o700 });
    const own = (path: string): string => relative(this.#layout.root, path);
    const data = `lowerdir=${lower},upperdir=${own(staged.diff)},workdir=${own(work)}`;
    await host.mount({
      source: 'overlay',
      target,
      fstype: 'overlay',
      flags: [],
      data: `${data},index=off,redirect_dir=off,metacopy=off,volatile`,
      cwd: this.#layout.root,
    });
    try {
      for (const place of basePlaces) await makePlace(host, target, place);
      await makeMtab(host, target);
      let made = false;
      for (const place of further) made = (await makePlace(host, target, place)) || made;
      return made;
    } finally {
      await host.unmount(target);
    }
  }

  async remove(chainId: string): Promise<void> {
    const base = nameOf(chainId);
    const isOf = (name: string): boolean => name === base || name.startsWith(`${base}-`);
    for (const names of [this.#needless, this.#seen])
      for (const name of names) if (isOf(name)) names.delete(name);
    for (const [name, timer] of this.#asked) {
      if (!isOf(name)) continue;
      clearTimeout(timer);
      this.#asked.delete(name);
    }
    for (const name of [...this.#ready].filter(isOf)) {
      this.#ready.delete(name);
      await this.#deps.trash.discard(join(this.#layout.points, name));
    }
  }
}
