import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CgroupLayout } from '../core/ports/host.ts';

/** Content of `cgroup.controllers` at the root of the v2 hierarchy; empty where there is none. */
export function unifiedControllers(layout: CgroupLayout): string {
  if (layout.unified === undefined) return '';
  try {
    return readFileSync(join(layout.unified, 'cgroup.controllers'), 'utf8');
  } catch {
    return '';
  }
}
