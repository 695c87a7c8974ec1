/** Writes the recipe of a layer that is unpacked already: files are referred to where they lie, if they still look the same. */

import { lstatSync } from 'node:fs';
import { TarParser, type TarHandler, type TarHeader } from '../../core/tar/index.ts';
import { cleanName } from './names.ts';
import { RecipeWriter, smallestReference } from './recipe.ts';

export class ReferenceRecorder implements TarHandler {
  readonly #recipe: RecipeWriter;
  readonly #parser = new TarParser(this);
  readonly #layer: string;
  readonly #plain = new Set<string>(['']);
  #chunk: Buffer = Buffer.alloc(0);
  #done = 0;
  #path: string | undefined;
  #size = 0;

  /** `scratch`: where the recipe is written; `layer`: the layer's directory. Both byte strings. */
  constructor(scratch: string, layer: string) {
    this.#recipe = new RecipeWriter(scratch);
    this.#layer = layer;
  }

  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#done = 0;
    this.#parser.push(chunk);
    this.#recipe.raw(chunk.subarray(this.#done));
  }

  finish(): void {
    this.#recipe.finish();
  }

  entry(header: TarHeader): void {
    const isWanted =
      header.type === 'file' && header.sparse === undefined && header.size >= smallestReference;
    const path = isWanted ? cleanName(header.name) : '';
    this.#path = isWanted && this.#isPlain(path, header.size) ? path : undefined;
    this.#size = header.size;
  }

  data(part: Buffer): void {
    if (this.#path === undefined) return;
    const start = part.byteOffset - this.#chunk.byteOffset;
    this.#recipe.raw(this.#chunk.subarray(this.#done, start));
    this.#done = start + part.length;
    if (this.#size >= 0) this.#recipe.reference(this.#path, this.#size);
    this.#size = -1;
  }

  end(): void {
    this.#path = undefined;
  }

  /** A regular file of that size, reached without a symbolic link: a link could lead out of the layer. */
  #isPlain(path: string, size: number): boolean {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    for (let end = 0; !this.#plain.has(parent) && end >= 0;) {
      end = parent.indexOf('/', end + 1);
      const directory = end < 0 ? parent : parent.slice(0, end);
      if (this.#plain.has(directory)) continue;
      if (this.#lstat(directory)?.isDirectory() !== true) return false;
      this.#plain.add(directory);
    }
    const stats = this.#lstat(path);
    return stats?.isFile() === true && stats.size === size;
  }

  #lstat(path: string): ReturnType<typeof lstatSync> | undefined {
    return lstatSync(Buffer.from(`${this.#layer}/diff/${path}`, 'latin1'), { throwIfNoEntry: false });
  }
}
