/** The errors of a fake kernel: of the same shape as the real host's. */

import { constants } from 'node:os';
import { SlipwayError } from '../../../../src/core/errors.ts';

/** `internal`, with a cause that carries `code`, `errno`, `syscall` and `index`. */
export function kernelFailure(syscall: string, code: string, what = '', index = -1): SlipwayError {
  const errno = (constants.errno as Readonly<Record<string, number>>)[code] ?? 0;
  const cause = Object.assign(new Error(`${syscall} ${what}: ${code}`), { code, errno, syscall, index });
  return new SlipwayError('internal', cause.message, { cause });
}

export function codeOf(error: unknown): string {
  const cause = error instanceof SlipwayError ? error.cause : error;
  return cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? '') : '';
}

/** The same failure with the position of the refused item. */
export function atIndex(error: unknown, index: number): Error {
  if (!(error instanceof SlipwayError) || !(error.cause instanceof Error)) {
    return error instanceof Error ? error : new Error(String(error));
  }
  return Object.assign(error, { cause: Object.assign(error.cause, { index }) });
}

/** The position that a failure carries; -1 for none. */
export function indexOf(error: unknown): number {
  const cause = error instanceof SlipwayError ? error.cause : undefined;
  return (cause as { index?: number } | undefined)?.index ?? -1;
}
