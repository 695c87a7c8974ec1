/** Jobs of the storage worker threads, and what the main thread and a worker say to each other. */

import type { Compression } from '../../core/compression.ts';
import type { Fault } from '../../core/fault.ts';
import type { Growing } from '../../core/ports/snapshot-driver.ts';

export type Change = { readonly path: string; readonly kind: 'modified' | 'added' | 'deleted' };

export interface LayerFile {
  readonly path: string;
  /** Unless it is whole. */
  readonly growing?: Growing;
  /** Told how far it has been read; as `Growth.shared`. */
  readonly read?: SharedArrayBuffer;
}

/** Input and result of each job. Paths are absolute. */
export interface Jobs {
  /** Writes the input stream to a new file; hashes it. */
  ingest: { input: { readonly path: string }; result: { readonly digest: string; readonly size: number } };
  /** Hashes a file, also one that grows. */
  verify: {
    input: { readonly file: string; readonly growth: SharedArrayBuffer };
    result: { readonly digest: string; readonly size: number };
  };
  /** Unpacks a layer from a file or, where `file` is undefined, from the input stream, into an empty directory. */
  unpack: {
    input: {
      readonly file: LayerFile | undefined;
      /** Undefined: by the first bytes. */
      readonly compression: Compression | undefined;
      readonly target: string;
    };
    result: { readonly diffId: string; readonly size: number; readonly implicit: readonly string[] };
  };
  /**
   * Unpacks a layer from the input stream into `diff` of an empty layer directory, and writes its recipe there. `bytes`: of
   * the archive.
   */
  stage: {
    input: { readonly directory: string };
    result: {
      readonly diffId: string;
      readonly size: number;
      readonly bytes: number;
      readonly implicit: readonly string[];
    };
  };
  /** Writes the recipe of a layer that is unpacked already, from its archive, and makes sure that it gives `diffId`. */
  record: {
    input: {
      readonly file: string;
      readonly compression: Compression;
      /** The layer's, and an empty one beside it to work in. */
      readonly directory: string;
      readonly scratch: string;
      readonly diffId: string;
    };
    result: { readonly bytes: number | undefined };
  };
  /** Writes the archive of a layer to the output stream, made again by its recipe. `invalid` when it is not `diffId`. */
  remake: {
    input: { readonly directory: string; readonly diffId: string };
    result: { readonly size: number };
  };
  /** Writes a layer archive of a directory (whiteouts as the OCI image spec has them) to the output stream. */
  pack: {
    input: { readonly directory: string; readonly omit?: readonly string[] };
    result: { readonly size: number };
  };
  /** What each layer does to those below it, as lines of JSON on the output stream. `layers`: lowest first. */
  explore: {
    input: { readonly layers: readonly string[]; readonly files: boolean };
    result: Record<string, never>;
  };
  changes: {
    input: { readonly upper: string; readonly lowers: readonly string[] };
    result: { readonly changes: readonly Change[] };
  };
  /** Makes one tree of layers (topmost first) in an empty directory. */
  flatten: {
    input: { readonly layers: readonly string[]; readonly target: string };
    result: Record<string, never>;
  };
  /** What a tree changed against the layers that it was made of (topmost first), and the bytes of the files in it that changed. */
  compare: {
    input: { readonly root: string; readonly layers: readonly string[] };
    result: { readonly changes: readonly Change[]; readonly size: number };
  };
  /** The same as a layer archive on the output stream. */
  packChanges: {
    input: { readonly root: string; readonly layers: readonly string[]; readonly omit?: readonly string[] };
    result: { readonly size: number };
  };
  /** Bytes of the regular files below a directory, hard links once. */
  usage: { input: { readonly directory: string }; result: { readonly size: number } };
  /** Copies the content of a directory with owners, modes, times, attributes and links. */
  copy: { input: { readonly from: string; readonly to: string }; result: Record<string, never> };
  /** Deletes what lies in a directory, slowly. */
  empty: { input: { readonly directory: string }; result: { readonly left: readonly string[] } };
}
export type JobKind = keyof Jobs;

export type ToWorker =
  | {
      readonly job: number;
      readonly op: 'start';
      readonly kind: JobKind;
      readonly input: Jobs[JobKind]['input'];
    }
  | { readonly job: number; readonly op: 'chunk'; readonly data: Uint8Array }
  | { readonly job: number; readonly op: 'end' }
  | { readonly job: number; readonly op: 'cancel' }
  /** Bytes of output that were taken. */
  | { readonly job: number; readonly op: 'taken'; readonly bytes: number };

export type FromWorker =
  | { readonly job: number; readonly op: 'done'; readonly result: Jobs[JobKind]['result'] }
  | { readonly job: number; readonly op: 'failed'; readonly fault: Fault }
  | { readonly job: number; readonly op: 'chunk'; readonly data: Uint8Array }
  | {
      readonly job: number;
      readonly op: 'taken';
      readonly bytes: number;
      /** The memory that they came in, for the next ones. */
      readonly block?: ArrayBuffer;
    };

/** Input goes to the worker in blocks of this many bytes: a message each costs more than its copy. */
export const blockSize = 256 << 10;

/** Bytes on their way in one direction before the sender waits. */
export const window = 4 << 20;
