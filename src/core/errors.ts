/**
 * The one error class of the engine. A message says what happened, to which object, and what to do;
 * Docker's wording is kept where clients or people rely on it.
 */

export type ErrorKind =
  | 'invalid'
  | 'unauthorized'
  | 'forbidden'
  | 'notFound'
  | 'conflict'
  | 'notModified'
  | 'unavailable'
  | 'notImplemented'
  | 'internal';

export class SlipwayError extends Error {
  readonly kind: ErrorKind;
  /** Errors met while undoing the work that this error ended; never thrown themselves. */
  undoErrors: Error[] = [];

  constructor(kind: ErrorKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'SlipwayError';
    this.kind = kind;
  }
}

const of =
  (kind: ErrorKind) =>
  (message: string, cause?: unknown): SlipwayError =>
    new SlipwayError(kind, message, cause === undefined ? undefined : { cause });

export const invalid = of('invalid');
export const unauthorized = of('unauthorized');
export const forbidden = of('forbidden');
export const notFound = of('notFound');
export const conflict = of('conflict');
export const notModified = of('notModified');
export const unavailable = of('unavailable');
export const notImplemented = of('notImplemented');
export const internal = of('internal');

/** Any thrown value as a SlipwayError; an unknown error becomes `internal` and keeps its cause. */
export function toSlipwayError(error: unknown): SlipwayError {
  if (error instanceof SlipwayError) return error;
  if (error instanceof Error)
    return new SlipwayError('internal', refusalWords(error) ?? error.message, { cause: error });
  return new SlipwayError('internal', String(error));
}

/** Whether `error` is a SlipwayError of this kind. */
export function isKind(error: unknown, kind: ErrorKind): error is SlipwayError {
  return error instanceof SlipwayError && error.kind === kind;
}

/** Whether `error` is a system error with this code (`ENOENT`, `EEXIST`, ...). */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && errnoOf(error) === code;
}

/** Node has no name for EDQUOT (122 on Linux). */
export function errnoOf(error: object): string | undefined {
  const { code, errno } = error as NodeJS.ErrnoException;
  return errno === -122 ? 'EDQUOT' : code;
}

/** What filesystems say when they take nothing more, as Go programs print it, and so Docker. */
const refusals: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', 'no space left on device'],
  ['EDQUOT', 'disk quota exceeded'],
  ['EROFS', 'read-only file system'],
]);

/** `mkdir /a/b: no space left on device`; undefined for errors of other kinds. `place`: the path, where the error has none. */
export function refusalWords(error: object, place?: string): string | undefined {
  const words = refusals.get(errnoOf(error) ?? '');
  if (words === undefined) return undefined;
  const { syscall, path = place } = error as NodeJS.ErrnoException;
  return syscall === undefined || path === undefined ? words : `${syscall} ${path}: ${words}`;
}

/** Runs what writes to `place`, whose errors may not say it: Node names no path when a write fails. */
export function writingTo<T>(place: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    const words = error instanceof Error ? refusalWords(error, place) : undefined;
    throw words === undefined ? error : internal(words, error);
  }
}

/** Whether there is no room: no blocks, no inodes, or not for this user or project. */
export function isFull(error: unknown): boolean {
  return isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT');
}
