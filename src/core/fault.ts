/** Errors on their way from a worker thread: of what is thrown there only plain data arrives. */

import { errnoOf, internal, refusalWords, SlipwayError, unavailable, type ErrorKind } from './errors.ts';

export interface Fault {
  readonly message: string;
  /** Of a system error. */
  readonly code: string | undefined;
  readonly kind: ErrorKind | undefined;
}

/** `place`: the path that was worked on, for errors that do not say it. */
export function faultOf(error: unknown, place?: string): Fault {
  const isError = error instanceof Error;
  return {
    message: isError ? (refusalWords(error, place) ?? error.message) : String(error),
    code: isError ? errnoOf(error) : undefined,
    kind: error instanceof SlipwayError ? error.kind : undefined,
  };
}

export function errorOf(fault: Fault): Error {
  if (fault.kind !== undefined) return new SlipwayError(fault.kind, fault.message);
  const cause = Object.assign(new Error(fault.message), fault.code === undefined ? {} : { code: fault.code });
  if (fault.code === 'ABORT_ERR') return unavailable('context canceled', cause);
  return internal(fault.message, cause);
}
