/** Errors on their way from a worker thread: of what is thrown there only plain data arrives. */

import { SlipwayError, internal, unavailable, type ErrorKind } from './errors.ts';

export interface Fault {
  readonly message: string;
  /** Of a system error. */
  readonly code: string | undefined;
  readonly kind: ErrorKind | undefined;
}

export function faultOf(error: unknown): Fault {
  return {
    message: error instanceof Error ? error.message : String(error),
    code: error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined,
    kind: error instanceof SlipwayError ? error.kind : undefined,
  };
}

export function errorOf(fault: Fault): Error {
  if (fault.kind !== undefined) return new SlipwayError(fault.kind, fault.message);
  const cause = Object.assign(new Error(fault.message), fault.code === undefined ? {} : { code: fault.code });
  if (fault.code === 'ENOSPC' || fault.code === 'EDQUOT') return internal('no space left on device', cause);
  if (fault.code === 'ABORT_ERR') return unavailable('context canceled', cause);
  return internal(fault.message, cause);
}
