import type { SpecMount } from '../../core/ports/spec-builder.ts';

/** What every container has, in Docker's order and with its options. */
export function defaultMounts(input: {
  readonly privileged: boolean;
  readonly writableCgroups: boolean;
  readonly cgroupVersion: 1 | 'hybrid' | 2;
  /** `undefined` leaves /dev/shm to the caller. */
  readonly shmSize: number | undefined;
  readonly privateIpc: boolean;
  readonly sharedNetwork: boolean;
}): readonly SpecMount[] {
  const mode = input.privileged ? 'rw' : 'ro';
  const plain = ['nosuid', 'noexec', 'nodev'];
  const mounts: SpecMount[] = [
    { destination: '/proc', type: 'proc', source: 'proc', options: plain },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...plain, mode] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [input.writableCgroups ? 'rw' : mode, ...plain],
    },
  ];
  if (input.privateIpc) {
    mounts.push({ destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: plain });
  }
  if (input.shmSize !== undefined) {
    mounts.push({
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: [...plain, 'mode=1777', `size=${input.shmSize}`],
    });
  }
  return mounts;
}

const depth = (path: string): number => path.split('/').filter((part) => part !== '').length;

/** Defaults and the container's own: its own win at the same place, and a parent always comes before what lies in it. */
export function mergeMounts(defaults: readonly SpecMount[], own: readonly SpecMount[]): readonly SpecMount[] {
  const taken = new Set(own.map((mount) => mount.destination));
  // A mount on /dev replaces all that the engine would put below it (but not what the user puts there).
  const kept = defaults.filter(
    (mount) => !taken.has(mount.destination) && !(taken.has('/dev') && mount.destination.startsWith('/dev/')),
  );
  const sorted = own.toSorted((a, b) => depth(a.destination) - depth(b.destination));
  return [...kept, ...sorted];
}
