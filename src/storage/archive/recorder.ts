/** Unpacks a layer and writes its recipe on the way, in one pass over the archive. */

import { mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import type { FileAttributes } from '../../core/ports/file-attributes.ts';
import { TarParser, type TarHandler, type TarHeader } from '../../core/tar/index.ts';
import { LayerExtractor, type ExtractResult } from './extract.ts';
import { RecipeWriter, smallestReference } from './recipe.ts';

export class LayerRecorder implements TarHandler {
  readonly #extractor: LayerExtractor;
  readonly #recipe: RecipeWriter;
  readonly #parser = new TarParser(this);
  #chunk: Buffer = Buffer.alloc(0);
  /** Bytes of the chunk that are recorded. */
  #done = 0;
  #isReferenced = false;
  /** A reference whose first byte has not come yet. */
  #pending: { readonly path: string; readonly size: number } | undefined;

  /** `directory`: the future layer's, an ASCII path, with an empty `diff` in it. */
  constructor(directory: string, attributes: () => FileAttributes) {
    this.#recipe = new RecipeWriter(directory);
    this.#extractor = new LayerExtractor(`${directory}/diff`, attributes, (path) => {
      const place = this.#recipe.keep(path);
      if (place === undefined) return false;
      mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
      renameSync(Buffer.from(`${directory}/diff/${path}`, 'latin1'), Buffer.from(place, 'latin1'));
      return true;
    });
  }

  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#done = 0;
    this.#parser.push(chunk);
    this.#recipe.raw(chunk.subarray(this.#done));
  }

  finish(): ExtractResult {
    this.#parser.finish();
    this.#recipe.finish();
    return this.#extractor.finish();
  }

  abandon(): void {
    this.#extractor.abandon();
    this.#recipe.abandon();
  }

  entry(header: TarHeader): void {
    this.#extractor.entry(header);
    const path = this.#extractor.openPath;
    this.#isReferenced =
      path !== undefined && header.sparse === undefined && header.size >= smallestReference;
    if (!this.#isReferenced || path === undefined) return;
    this.#pending = { path, size: header.size };
  }

  data(part: Buffer): void {
    if (this.#isReferenced) {
      const start = part.byteOffset - this.#chunk.byteOffset;
      this.#recipe.raw(this.#chunk.subarray(this.#done, start));
      this.#done = start + part.length;
      if (this.#pending !== undefined) this.#recipe.reference(this.#pending.path, this.#pending.size);
      this.#pending = undefined;
    }
    this.#extractor.data(part);
  }

  end(): void {
    this.#extractor.end();
    this.#isReferenced = false;
  }
}
