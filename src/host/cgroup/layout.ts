/** Where cgroup controllers are mounted. The parser is pure; a host has v1, v2, or both (hybrid). */

import type { CgroupLayout } from '../../core/ports/host.ts';
import type { MountInfo } from '../mount/mountinfo.ts';

const knownControllers = new Set([
  'blkio',
  'cpu',
  'cpuacct',
  'cpuset',
  'devices',
  'freezer',
  'hugetlb',
  'memory',
  'misc',
  'net_cls',
  'net_prio',
  'perf_event',
  'pids',
  'rdma',
]);

/** The names that a v1 mount serves: its controllers, or `name=systemd` for a named hierarchy. */
function namesOf(options: string): string[] {
  return options.split(',').filter((name) => knownControllers.has(name) || name.startsWith('name='));
}

/** The first mount of each controller counts (bind mounts of the same hierarchy come later). */
export function cgroupLayout(mounts: readonly MountInfo[]): CgroupLayout {
  const controllers: Record<string, string> = {};
  let unified: string | undefined;
  for (const { fstype, target, options } of mounts) {
    if (fstype === 'cgroup2') unified ??= target;
    if (fstype === 'cgroup') for (const name of namesOf(options)) controllers[name] ??= target;
  }
  if (Object.keys(controllers).length === 0) return { version: 2, controllers: {}, unified };
  if (unified === undefined) return { version: 1, controllers, unified };
  return { version: 'hybrid', controllers: { ...controllers, unified }, unified };
}
