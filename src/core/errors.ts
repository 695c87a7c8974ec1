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
  if (error instanceof Error) return new SlipwayError('internal', error.message, { cause: error });
  return new SlipwayError('internal', String(error));
}

/** Whether `error` is a SlipwayError of this kind. */
export function isKind(error: unknown, kind: ErrorKind): error is SlipwayError {
  return error instanceof SlipwayError && error.kind === kind;
}

/** Whether `error` is a system error with this code (`ENOENT`, `EEXIST`, ...). */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}
