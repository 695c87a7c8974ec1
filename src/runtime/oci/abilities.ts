/** Which limits the kernel can set, read once at the daemon's start from the files of its cgroup hierarchies. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CgroupLayout } from '../../core/ports/host.ts';

export interface Abilities {
  readonly memory: boolean;
  /** Whether swap is accounted per cgroup. */
  readonly swap: boolean;
  readonly memoryReservation: boolean;
  readonly swappiness: boolean;
  readonly oomKillDisable: boolean;
  readonly pids: boolean;
  readonly cpuShares: boolean;
  readonly cpuQuota: boolean;
  readonly cpuRealtime: boolean;
  readonly cpuset: boolean;
  readonly blkioWeight: boolean;
  readonly blkioWeightDevice: boolean;
  readonly blkioThrottle: boolean;
  readonly cgroupNamespaces: boolean;
  /** v1 weights live in BFQ's own files, which no OCI runtime of old knows. */
  readonly bfqFiles: boolean;
  /** Online CPUs and memory nodes in the kernel's list form, `0-3`. */
  readonly cpus: string;
  readonly memoryNodes: string;
}

/** Whether a path exists; given so that tables can be tested. */
export type Exists = (path: string) => boolean;

function abilitiesV1(layout: CgroupLayout, exists: Exists): Omit<Abilities, Common> {
  const has = (controller: string, file: string): boolean => {
    const root = layout.controllers[controller];
    return root !== undefined && exists(join(root, file));
  };
  // BFQ's weights are there below the root cgroup alone; its statistics tell that it is.
  const bfqFiles = has('blkio', 'blkio.bfq.io_serviced') && !has('blkio', 'blkio.weight');
  return {
    memory: has('memory', 'memory.limit_in_bytes'),
    swap: has('memory', 'memory.memsw.limit_in_bytes'),
    memoryReservation: has('memory', 'memory.soft_limit_in_bytes'),
    swappiness: has('memory', 'memory.swappiness'),
    oomKillDisable: has('memory', 'memory.oom_control'),
    pids: layout.controllers['pids'] !== undefined,
    cpuShares: has('cpu', 'cpu.shares'),
    cpuQuota: has('cpu', 'cpu.cfs_quota_us'),
    cpuRealtime: has('cpu', 'cpu.rt_runtime_us'),
    cpuset: layout.controllers['cpuset'] !== undefined,
    blkioWeight: has('blkio', 'blkio.weight') || bfqFiles,
    blkioWeightDevice: has('blkio', 'blkio.weight_device') || bfqFiles,
    blkioThrottle: has('blkio', 'blkio.throttle.read_bps_device'),
    bfqFiles,
  };
}

function abilitiesV2(controllers: ReadonlySet<string>): Omit<Abilities, Common> {
  const [memory, cpu, io] = [controllers.has('memory'), controllers.has('cpu'), controllers.has('io')];
  return {
    memory,
    // The root cgroup has no file to ask; the controller limits swap whether there is any or not.
    swap: memory,
    memoryReservation: memory,
    // v2 has none of these three.
    swappiness: false,
    oomKillDisable: false,
    cpuRealtime: false,
    pids: controllers.has('pids'),
    cpuShares: cpu,
    cpuQuota: cpu,
    cpuset: controllers.has('cpuset'),
    blkioWeight: io,
    blkioWeightDevice: io,
    blkioThrottle: io,
    bfqFiles: false,
  };
}

type Common = 'cgroupNamespaces' | 'cpus' | 'memoryNodes';

/** Pure: `read` gives a file's text, empty where there is none. */
export function abilitiesOf(layout: CgroupLayout, exists: Exists, read: (path: string) => string): Abilities {
  const unified = layout.unified ?? '/sys/fs/cgroup';
  return {
    ...(layout.version === 2
      ? abilitiesV2(new Set(read(join(unified, 'cgroup.controllers')).trim().split(' ')))
      : abilitiesV1(layout, exists)),
    cgroupNamespaces: exists('/proc/self/ns/cgroup'),
    cpus: read('/sys/devices/system/cpu/online').trim(),
    memoryNodes: read('/sys/devices/system/node/online').trim() || '0',
  };
}

export function readAbilities(layout: CgroupLayout): Abilities {
  return abilitiesOf(layout, existsSync, (path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  });
}
