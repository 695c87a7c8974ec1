/** Read-only layers: unpacked beside the others, then renamed into place together with what a mount needs to know. */

import {
  chmod,
  chown,
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { isErrno, notFound } from '../../../core/errors.ts';
import { derivedHex, newId } from '../../../core/ids.ts';
import { KeyedQueue } from '../../../core/keyed-queue.ts';
import { recipeFiles } from '../../archive/recipe.ts';
import type { Trash } from '../../trash.ts';
import type { Layout } from './layout.ts';

/** Kept in each layer's directory as `layer.json`. */
export interface LayerFacts {
  readonly parent: string | undefined;
  /** Short name of the link in `l/`. */
  readonly link: string;
  /** Value of `lowerdir=` for what stands on this layer: this one first, relative to the overlay2 directory. */
  readonly lower: string;
  /** Bytes of its files. */
  readonly size: number;
  /** Digest and bytes of its archive, when a recipe for it lies beside this file. */
  readonly archive?: { readonly diffId: string; readonly bytes: number };
}

export class Layers {
  readonly #layout: Layout;
  readonly #trash: Trash;
  /** Facts never change while a layer exists. */
  readonly #facts = new Map<string, LayerFacts>();
  /** How many layers went: what was read of one before is not to be kept after. */
  #removals = 0;
  /** By chain id: two archives of one layer may come to be known at once. */
  readonly #recipes = new KeyedQueue();

  constructor(layout: Layout, trash: Trash) {
    this.#layout = layout;
    this.#trash = trash;
  }

  async find(chainId: string): Promise<LayerFacts | undefined> {
    const known = this.#facts.get(chainId);
    if (known !== undefined) return known;
    const removals = this.#removals;
    try {
      const text = await readFile(join(this.#layout.layer(chainId), 'layer.json'), 'utf8');
      const facts = JSON.parse(text) as LayerFacts;
      if (removals === this.#removals) this.#facts.set(chainId, facts);
      return facts;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async get(chainId: string): Promise<LayerFacts> {
    const facts = await this.find(chainId);
    if (facts === undefined) throw notFound(`layer ${chainId} does not exist`);
    return facts;
  }

  /** An empty directory to unpack into; its content is the future layer's `diff`. */
  async stage(): Promise<{ readonly path: string; readonly diff: string }> {
    const path = join(this.#layout.staging, newId());
    const diff = join(path, 'diff');
    await mkdir(path, { mode: 0o700 });
    await mkdir(diff, { mode: 0o755 });
    // A data root with a setgid bit would hand it, and its group, down to every file of the layer.
    await chown(diff, 0, 0);
    await chmod(diff, 0o755);
    return { path, diff };
  }

  /** Makes a staged directory the layer `chainId`; when it came into being meanwhile, that one stays. */
  async publish(
    staged: string,
    chainId: string,
    parent: string | undefined,
    found: {
      readonly size: number;
      readonly implicit: readonly string[];
      readonly archive?: LayerFacts['archive'];
    },
  ): Promise<void> {
    const below = parent === undefined ? undefined : await this.get(parent);
    if (parent !== undefined) await this.#inheritDirectories(join(staged, 'diff'), parent, found.implicit);
    const link = await this.#link(chainId);
    const own = `l/${link}`;
    const lower = below === undefined ? own : `${own}:${below.lower}`;
    const { size, archive } = found;
    const facts: LayerFacts = { parent, link, lower, size, ...(archive !== undefined && { archive }) };
    await writeFile(join(staged, 'layer.json'), JSON.stringify(facts));
    try {
      await rename(staged, this.#layout.layer(chainId));
    } catch (error) {
      if (!isErrno(error, 'ENOTEMPTY') && !isErrno(error, 'EEXIST')) throw error;
      await this.#trash.discard(staged);
    }
  }

  /** Notes that a recipe for the layer's archive lies in its directory now. */
  async #setArchive(chainId: string, archive: NonNullable<LayerFacts['archive']>): Promise<void> {
    const facts = { ...(await this.get(chainId)), archive };
    const path = join(this.#layout.layer(chainId), 'layer.json');
    await writeFile(`${path}.new`, JSON.stringify(facts));
    await rename(`${path}.new`, path);
    this.#facts.set(chainId, facts);
  }

  /** Moves the recipe of a staged layer to one that has the same files, unless it has one by now. */
  takeRecipe(staged: string, chainId: string, archive: NonNullable<LayerFacts['archive']>): Promise<void> {
    return this.#recipes.run(chainId, async () => {
      if ((await this.get(chainId)).archive === undefined) await this.#moveRecipe(staged, chainId, archive);
    });
  }

  async #moveRecipe(
    staged: string,
    chainId: string,
    archive: NonNullable<LayerFacts['archive']>,
  ): Promise<void> {
    for (const name of recipeFiles) {
      const target = join(this.#layout.layer(chainId), name);
      // A daemon that was killed may have left some of it.
      await rm(target, { recursive: true, force: true });
      try {
        await rename(join(staged, name), target);
      } catch (error) {
        // Most recipes are one file.
        if (!isErrno(error, 'ENOENT')) throw error;
      }
    }
    await this.#setArchive(chainId, archive);
  }

  discardStaged(path: string): Promise<void> {
    return this.#trash.discard(path);
  }

  async list(): Promise<string[]> {
    const names = await readdir(this.#layout.layers);
    return names.filter((name) => /^[0-9a-f]{64}$/.test(name)).map((name) => `sha256:${name}`);
  }

  /** Idempotent. */
  async remove(chainId: string): Promise<void> {
    const facts = await this.find(chainId);
    if (facts !== undefined) await rm(join(this.#layout.links, facts.link), { force: true });
    try {
      await this.#trash.discard(this.#layout.layer(chainId));
    } finally {
      // Not before: whoever looked at it meanwhile has put it back among the facts.
      this.forget(chainId);
    }
  }

  /** For one that was removed by other hands. */
  forget(chainId: string): void {
    this.#removals++;
    this.#facts.delete(chainId);
  }

  /** Topmost first. */
  async chain(chainId: string | undefined): Promise<string[]> {
    const chain: string[] = [];
    for (let at = chainId; at !== undefined; at = (await this.get(at)).parent) chain.push(at);
    return chain;
  }

  diff(chainId: string): string {
    return join(this.#layout.layer(chainId), 'diff');
  }

  /** Short, since all of them go into one page of mount options; longer where two layers would share one. */
  async #link(chainId: string): Promise<string> {
    const target = join('..', 'layers', chainId.slice(7), 'diff');
    for (let length = 8; ; length++) {
      const name = derivedHex(length, 'link', chainId);
      const path = join(this.#layout.links, name);
      try {
        await symlink(target, path);
        return name;
      } catch (error) {
        if (!isErrno(error, 'EEXIST')) throw error;
      }
      if (await this.#isLinkTo(path, chainId)) return name;
    }
  }

  async #isLinkTo(path: string, chainId: string): Promise<boolean> {
    return (await readlink(path)) === join('..', 'layers', chainId.slice(7), 'diff');
  }

  /**
   * A directory that the archive uses without holding it would hide the owner, mode and time of the one below: it
   * takes them over.
   */
  async #inheritDirectories(diff: string, parent: string, implicit: readonly string[]): Promise<void> {
    if (implicit.length === 0) return;
    const lowers = (await this.chain(parent)).map((chainId) => this.diff(chainId));
    for (const path of implicit) {
      const below = await this.#lookUp(lowers, path);
      if (below === undefined) continue;
      const target = Buffer.from(`${diff}/${path}`, 'latin1');
      await chown(target, below.uid, below.gid);
      await chmod(target, below.mode & 0o7777);
      await utimes(target, below.atime, below.mtime);
    }
  }

  async #lookUp(lowers: readonly string[], path: string): Promise<Stats | undefined> {
    for (const lower of lowers) {
      try {
        const stats = await lstat(Buffer.from(`${lower}/${path}`, 'latin1'));
        return stats.isDirectory() ? stats : undefined;
      } catch (error) {
        if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ENOTDIR')) throw error;
      }
    }
    return undefined;
  }
}

/** Links that lead nowhere: their layers were removed, or never came into being. */
export async function removeDanglingLinks(layout: Layout): Promise<void> {
  const present = new Set(await readdir(layout.layers));
  for (const name of await readdir(layout.links)) {
    const path = join(layout.links, name);
    const target = (await readlink(path)).split('/').at(-2) ?? '';
    if (!present.has(target)) await unlink(path);
  }
}
