/** Which HTTP status each kind of error has. */

import type { ErrorKind } from '../core/errors.ts';

const statuses: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  notFound: 404,
  conflict: 409,
  notModified: 304,
  unavailable: 503,
  notImplemented: 501,
  internal: 500,
};

export function statusOf(kind: ErrorKind): number {
  return statuses[kind];
}
