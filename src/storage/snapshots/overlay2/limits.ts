/** `--storage-opt size=`: how much a container's own files may take. */

import { invalid } from '../../../core/errors.ts';
import type { Logger } from '../../../core/log.ts';
import type { SizeLimits } from '../../../core/ports/size-limits.ts';

/** What the filesystem of the data root has; or why it has nothing. */
export type Limits = SizeLimits | { readonly missing: string };

export const usable = (limits: Limits | undefined): SizeLimits | undefined =>
  limits === undefined || 'missing' in limits ? undefined : limits;

/** Docker's words, and then what is in the way. */
export function whyUnlimited(limits: Limits | undefined, root: string, backing: string): string | undefined {
  if (usable(limits) !== undefined) return undefined;
  const why = limits !== undefined && 'missing' in limits ? limits.missing : 'it keeps no quotas of projects';
  return `--storage-opt is supported only for overlay over xfs with 'pquota' mount option (or ext4 with 'prjquota'): ${root} is on ${backing}: ${why}`;
}

export function limitsFor(
  driver: { readonly unlimited: string | undefined },
  limits: Limits | undefined,
  size: number | undefined,
): SizeLimits | undefined {
  if (size === undefined) return undefined;
  const found = usable(limits);
  if (found === undefined) throw invalid(driver.unlimited ?? 'no limits here');
  return found;
}

/** A limit that stays behind holds for nobody: the next start of the daemon finds it. */
export function takeBack(deps: { readonly limits?: Limits; readonly log: Logger }, directory: string): void {
  try {
    usable(deps.limits)?.clear(directory);
  } catch (error) {
    deps.log.warn('limit not taken back', { directory, error });
  }
}
