/**
 * Tar archives, pure: reading and writing of headers and streams. What lands on a disk is decided elsewhere
 * (`storage/archive` extracts layers); load, save, import and copies to and from containers use this directly.
 */

export type { SparseRange, TarHeader, TarType } from './header.ts';
export { TarParser, type TarHandler } from './parser.ts';
export { tarEntries, type TarEntry } from './stream.ts';
export { encodeHeader, simpleHeader, tarEnd, tarPadding } from './writer.ts';
export { tarTypeOf } from './type-of.ts';
