/**
 * What each layer of an image adds, changes and removes, and which bytes of the layers below it hides: those are still
 * stored and sent, though no container can see them. Runs in a worker thread; the answer is a line of JSON each.
 */

import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { tarTypeOf } from '../../core/tar/index.ts';
import { isErrno } from '../../core/errors.ts';
import type { FileAttributes } from '../../core/ports/file-attributes.ts';
import type { ExploredFile, ExploredLayer } from '../../core/ports/snapshot-driver.ts';

/** What shows at a path after the layers so far. */
interface Node {
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly children: Map<string, Node> | undefined;
}

type Totals = { -readonly [K in keyof ExploredLayer]: ExploredLayer[K] };

export interface ExploreOutput {
  readonly say: (line: ExploredLayer | ExploredFile) => Promise<void>;
  /** Called for each entry: the place to look whether somebody still wants the answer. */
  readonly pace: () => Promise<void>;
  /** Whether each file is told, not only the sums. */
  readonly files: boolean;
}

const isWhiteout = (stats: Stats): boolean => stats.isCharacterDevice() && stats.rdev === 0;

/** Bytes of all files of a subtree. */
function weigh(node: Node): number {
  let size = node.size;
  for (const child of node.children?.values() ?? []) size += weigh(child);
  return size;
}

class Explorer {
  readonly #attributes: FileAttributes;
  readonly #out: ExploreOutput;
  #root = '';
  #inodes = new Set<number>();
  #totals: Totals | undefined;

  constructor(attributes: FileAttributes, out: ExploreOutput) {
    this.#attributes = attributes;
    this.#out = out;
  }

  /** `root`: the layer's files, as a byte string. */
  async layer(number: number, root: string, below: Map<string, Node>): Promise<void> {
    this.#root = root;
    this.#inodes = new Set();
    const none = { entries: 0, bytes: 0 };
    this.#totals = {
      layer: number,
      size: 0,
      added: { ...none },
      changed: { ...none },
      removed: { ...none },
      hidden: 0,
    };
    await this.#directory('', below);
    await this.#out.say(this.#totals);
  }

  #at(path: string): Buffer {
    return Buffer.from(`${this.#root}${path}`, 'latin1');
  }

  async #directory(path: string, merged: Map<string, Node>): Promise<void> {
    for (const name of this.#names(path)) {
      const at = `${path}/${name}`;
      await this.#out.pace();
      const stats = lstatSync(this.#at(at), { throwIfNoEntry: false });
      if (stats === undefined) continue;
      const old = merged.get(name);
      if (isWhiteout(stats)) {
        merged.delete(name);
        if (old !== undefined)
          await this.#tell('removed', at, old.children ? 'directory' : 'file', 0, weigh(old));
      } else merged.set(name, await this.#entry(at, stats, old));
    }
  }

  #names(path: string): string[] {
    try {
      return readdirSync(this.#at(path), { encoding: 'latin1' }).sort();
    } catch (error) {
      // Nested deeper than a path may be long.
      if (isErrno(error, 'ENAMETOOLONG')) return [];
      throw error;
    }
  }

  async #entry(path: string, stats: Stats, old: Node | undefined): Promise<Node> {
    const { mode, uid, gid } = stats;
    if (!stats.isDirectory()) {
      const size = this.#sizeOf(stats);
      const kind = old === undefined ? 'added' : 'changed';
      await this.#tell(kind, path, tarTypeOf(stats), size, old === undefined ? 0 : weigh(old));
      return { size, mode, uid, gid, children: undefined };
    }
    const isOpaque = old?.children !== undefined && this.#isOpaque(path);
    const children = isOpaque ? new Map<string, Node>() : (old?.children ?? new Map<string, Node>());
    const hidden = old === undefined || (old.children !== undefined && !isOpaque) ? 0 : weigh(old);
    // A directory that is only on the way to something is no change.
    const isSame = old?.mode === mode && old.uid === uid && old.gid === gid && !isOpaque;
    if (!isSame) await this.#tell(old === undefined ? 'added' : 'changed', path, 'directory', 0, hidden);
    await this.#directory(path, children);
    return { size: 0, mode, uid, gid, children };
  }

  #isOpaque(path: string): boolean {
    return this.#attributes.getXattr(this.#at(path), 'trusted.overlay.opaque')?.toString() === 'y';
  }

  /** Hard links share their bytes: the first one has them. */
  #sizeOf(stats: Stats): number {
    if (!stats.isFile() || (stats.nlink > 1 && this.#inodes.has(stats.ino))) return 0;
    if (stats.nlink > 1) this.#inodes.add(stats.ino);
    return stats.size;
  }

  async #tell(
    kind: ExploredFile['kind'],
    path: string,
    type: ExploredFile['type'],
    size: number,
    hidden: number,
  ): Promise<void> {
    const totals = this.#totals;
    if (totals === undefined) return;
    totals[kind] = {
      entries: totals[kind].entries + 1,
      bytes: totals[kind].bytes + (kind === 'removed' ? hidden : size),
    };
    totals.size += size;
    totals.hidden += hidden;
    const line = {
      layer: totals.layer,
      path: Buffer.from(path, 'latin1').toString('utf8'),
      kind,
      type,
      size,
      hidden,
    };
    if (this.#out.files) await this.#out.say(line);
  }
}

/** `layers`: the directories of an image's layers as byte strings, lowest first. */
export async function exploreLayers(
  attributes: FileAttributes,
  layers: readonly string[],
  out: ExploreOutput,
): Promise<void> {
  const merged = new Map<string, Node>();
  const explorer = new Explorer(attributes, out);
  let number = 0;
  for (const layer of layers) await explorer.layer(++number, layer, merged);
}
