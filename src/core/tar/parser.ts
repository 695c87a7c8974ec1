/**
 * A push parser for tar archives: hand it chunks of any size, and it calls back for each entry and its data. It
 * holds no more than one header and one extended header in memory.
 */

import { invalid } from '../errors.ts';
import {
  blockSize,
  isZeroBlock,
  parseHeader,
  readSparseRanges,
  tarType,
  type RawHeader,
  type SparseRange,
  type TarHeader,
} from './header.ts';
import { checkSparse, parsePax, paxNumber, sparsePairs, type Pax } from './pax.ts';

export interface TarHandler {
  entry(header: TarHeader): void;
  /** The stored bytes of the entry, in order; a view that is only valid during the call. */
  data(chunk: Buffer): void;
  end(): void;
}

/** A header of names and attributes that is larger than any real one is an attack on memory. */
const maxExtension = 8 << 20;
const noPax: Pax = { fields: new Map(), xattrs: new Map(), sparse00: [] };

type State =
  | { readonly in: 'header' }
  /** Gathers an extension's content (pax, GNU long names) or a sparse map in front of the data. */
  | { readonly in: 'gather'; readonly done: (data: Buffer) => void }
  | { readonly in: 'data' }
  | { readonly in: 'padding' }
  | { readonly in: 'over' };

export class TarParser {
  readonly #handler: TarHandler;
  #state: State = { in: 'header' };
  /** Bytes still missing in the present state. */
  #missing = blockSize;
  #padding = 0;
  #gathered: Buffer[] = [];
  #pax: Pax = noPax;
  #longName: string | undefined;
  #longLink: string | undefined;

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  /** `invalid` when the archive is malformed. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && this.#state.in !== 'over') {
      const part = chunk.subarray(at, at + this.#missing);
      at += part.length;
      this.#missing -= part.length;
      if (this.#state.in === 'data') this.#handler.data(part);
      else if (this.#state.in !== 'padding') this.#keep(part);
      if (this.#missing === 0) this.#complete();
    }
  }

  /** To be called at the end of the input. `invalid` when it ends within an entry. */
  finish(): void {
    const atBoundary = this.#state.in === 'header' && this.#missing === blockSize;
    const pending = this.#pax !== noPax || this.#longName !== undefined || this.#longLink !== undefined;
    if (this.#state.in === 'over' || (atBoundary && !pending)) return;
    throw invalid('unexpected EOF');
  }

  #keep(part: Buffer): void {
    // A whole block in one chunk, the usual case, is used without a copy.
    this.#gathered.push(this.#missing === 0 ? part : Buffer.from(part));
  }

  #take(): Buffer {
    const parts = this.#gathered;
    this.#gathered = [];
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }

  #expect(state: State, bytes: number): void {
    this.#state = state;
    this.#missing = bytes;
  }

  #complete(): void {
    switch (this.#state.in) {
      case 'header':
        this.#header(this.#take());
        break;
      case 'gather':
        this.#state.done(this.#take());
        break;
      case 'data':
        this.#afterData();
        break;
      case 'padding':
        this.#expect({ in: 'header' }, blockSize);
        break;
      case 'over':
        break;
    }
  }

  #afterData(): void {
    this.#handler.end();
    if (this.#padding > 0) this.#expect({ in: 'padding' }, this.#padding);
    else this.#expect({ in: 'header' }, blockSize);
  }

  #header(block: Buffer): void {
    if (isZeroBlock(block)) {
      // One zero block ends the archive for GNU tar and for Go; what follows is padding.
      this.#state = { in: 'over' };
      return;
    }
    const raw = parseHeader(block);
    this.#padding = (blockSize - (raw.storedSize % blockSize)) % blockSize;
    if (raw.typeFlag === 'x' || raw.typeFlag === 'X')
      this.#extension(raw, (data) => (this.#pax = parsePax(data)));
    else if (raw.typeFlag === 'g') this.#extension(raw, () => {});
    else if (raw.typeFlag === 'L') this.#extension(raw, (data) => (this.#longName = cString(data)));
    else if (raw.typeFlag === 'K') this.#extension(raw, (data) => (this.#longLink = cString(data)));
    else if (raw.gnuSparse?.more === true) this.#moreRanges(raw, [...raw.gnuSparse.ranges]);
    else this.#open(raw, raw.gnuSparse?.ranges);
  }

  #extension(raw: RawHeader, apply: (data: Buffer) => void): void {
    if (raw.storedSize > maxExtension) throw invalid('archive/tar: invalid tar header: extension too large');
    const next = (data: Buffer): void => {
      apply(data);
      if (this.#padding > 0) this.#expect({ in: 'padding' }, this.#padding);
      else this.#expect({ in: 'header' }, blockSize);
    };
    if (raw.storedSize === 0) next(Buffer.alloc(0));
    else this.#expect({ in: 'gather', done: next }, raw.storedSize);
  }

  #moreRanges(raw: RawHeader, ranges: SparseRange[]): void {
    const done = (block: Buffer): void => {
      ranges.push(...readSparseRanges(block, 0, 21));
      if (ranges.length * 24 > maxExtension) throw invalid('archive/tar: invalid tar header: sparse map');
      if (block[504] === 1) this.#moreRanges(raw, ranges);
      else this.#open(raw, ranges);
    };
    this.#expect({ in: 'gather', done }, blockSize);
  }

  #open(raw: RawHeader, gnuRanges: readonly SparseRange[] | undefined): void {
    const pax = this.#pax;
    const fields = pax.fields;
    const size = fields.get('size');
    const stored = size === undefined ? raw.storedSize : paxNumber(size);
    if (stored < 0) throw invalid('archive/tar: invalid tar header: negative size');
    this.#padding = (blockSize - (stored % blockSize)) % blockSize;
    if (fields.get('GNU.sparse.major') === '1') {
      this.#readMap10(raw, stored, '');
      return;
    }
    const map = fields.get('GNU.sparse.map');
    let ranges = gnuRanges;
    if (map !== undefined) ranges = map === '' ? [] : sparsePairs(map.split(','));
    else if (fields.has('GNU.sparse.numblocks')) ranges = pax.sparse00;
    this.#deliver(raw, stored, ranges);
  }

  /** Sparse format 1.0: decimal lines in whole blocks in front of the data: a count, then offset and length in turn. */
  #readMap10(raw: RawHeader, stored: number, sofar: string): void {
    if (stored < blockSize) throw invalid('archive/tar: invalid tar header: sparse map');
    const done = (block: Buffer): void => {
      const text = sofar + block.toString('latin1');
      const left = stored - blockSize;
      const lines = text.split('\n');
      const count = lines.length > 1 ? paxNumber(lines[0] ?? '') : Number.NaN;
      if (count * 2 + 1 < lines.length) this.#deliver(raw, left, sparsePairs(lines.slice(1, 1 + count * 2)));
      else if (text.length > maxExtension) throw invalid('archive/tar: invalid tar header: sparse map');
      else this.#readMap10(raw, left, text);
    };
    this.#expect({ in: 'gather', done }, blockSize);
  }

  #deliver(raw: RawHeader, stored: number, sparse: readonly SparseRange[] | undefined): void {
    const header = this.#merge(raw, stored, sparse);
    this.#pax = noPax;
    this.#longName = undefined;
    this.#longLink = undefined;
    const hasData = header.type === 'file' || header.type === 'other';
    if (hasData && sparse !== undefined) checkSparse(sparse, header.size, stored);
    this.#handler.entry(header);
    // Some writers put a size on links and directories without storing bytes for it.
    if (hasData && stored > 0) this.#expect({ in: 'data' }, stored);
    else {
      this.#padding = 0;
      this.#afterData();
    }
  }

  #merge(raw: RawHeader, stored: number, sparse: readonly SparseRange[] | undefined): TarHeader {
    const fields = this.#pax.fields;
    const number = (key: string, or: number): number => {
      const value = fields.get(key);
      return value === undefined || value === '' ? or : paxNumber(value);
    };
    const name = fields.get('GNU.sparse.name') ?? fields.get('path') ?? this.#longName ?? raw.name;
    const linkName = fields.get('linkpath') ?? this.#longLink ?? raw.linkName;
    if (name.includes('\0') || linkName.includes('\0'))
      throw invalid('archive/tar: invalid tar header: NUL in a name');
    const type = tarType(raw.typeFlag, name);
    const realSize = number(
      'GNU.sparse.realsize',
      number('GNU.sparse.size', raw.gnuSparse?.realSize ?? stored),
    );
    const hasData = type === 'file' || type === 'other';
    return {
      name,
      type,
      mode: raw.mode,
      uid: number('uid', raw.uid),
      gid: number('gid', raw.gid),
      size: hasData ? (sparse === undefined ? stored : realSize) : 0,
      mtime: number('mtime', raw.mtime),
      linkName,
      deviceMajor: number('SCHILY.devmajor', raw.deviceMajor),
      deviceMinor: number('SCHILY.devminor', raw.deviceMinor),
      xattrs: this.#pax.xattrs,
      ...(sparse !== undefined && { sparse }),
    };
  }
}

function cString(data: Buffer): string {
  const end = data.indexOf(0);
  return data.toString('latin1', 0, end < 0 ? data.length : end);
}
