/** Options of a tmpfs: the engine's own, then the user's, of which the last of each kind counts. Pure. */

import { invalid } from '../../core/errors.ts';

/** Flags that undo each other share a kind; the names are those of mount(8) that Docker takes for a tmpfs. */
const kinds: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ro: 'access',
    rw: 'access',
    suid: 'suid',
    nosuid: 'suid',
    dev: 'dev',
    nodev: 'dev',
    exec: 'exec',
    noexec: 'exec',
    sync: 'sync',
    async: 'sync',
    dirsync: 'dirsync',
    mand: 'mand',
    nomand: 'mand',
    atime: 'atime',
    noatime: 'atime',
    diratime: 'diratime',
    nodiratime: 'diratime',
    relatime: 'relatime',
    norelatime: 'relatime',
    strictatime: 'strictatime',
    nostrictatime: 'strictatime',
    bind: 'bind',
    rbind: 'bind',
    remount: 'remount',
    unbindable: 'propagation',
    runbindable: 'propagation',
    private: 'propagation',
    rprivate: 'propagation',
    shared: 'propagation',
    rshared: 'propagation',
    slave: 'propagation',
    rslave: 'propagation',
  }),
);

const valued = new Set(['size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks', 'mpol']);
const defaults = ['noexec', 'nosuid', 'nodev'];

function kindOf(option: string): string {
  const flag = kinds.get(option);
  if (flag !== undefined) return flag;
  const name = option.split('=', 1)[0] ?? '';
  if (!option.includes('=') || !valued.has(name)) throw invalid(`invalid tmpfs option "${name}"`);
  return name;
}

/** Each kind once: OCI runtimes do not agree on which of two opposite flags wins. `invalid` for what is no option. */
export function mergeTmpfsOptions(given: readonly string[]): readonly string[] {
  const chosen = new Map<string, string>();
  for (const option of [...defaults, ...given]) {
    if (option === 'defaults' || option === '') continue;
    const kind = kindOf(option);
    chosen.delete(kind);
    chosen.set(kind, option);
  }
  return [...chosen.values()];
}
