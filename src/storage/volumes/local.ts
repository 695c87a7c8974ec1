/**
 * The local volume driver: `<data root>/volumes/<name>/_data`. With the options `type`, `o` and `device` the data is a
 * mount of its own (NFS, tmpfs, a bind of another directory), made when the first container needs it.
 */

import { lookup } from 'node:dns/promises';
import { chown, mkdir, readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { backgroundCtx } from '../../core/ctx.ts';
import { invalid, isErrno } from '../../core/errors.ts';
import type { StringMap } from '../../core/model/container-spec.ts';
import type { Owner } from '../../core/model/id-mapping.ts';
import type { Host, MountRequest } from '../../core/ports/host.ts';
import type { VolumeDriver } from '../../core/ports/volume-driver.ts';
import type { Trash } from '../trash.ts';
import type { StorageWorkers } from '../worker/pool.ts';

export interface LocalVolumesDeps {
  readonly host: Pick<Host, 'mount' | 'mounts' | 'unmount'>;
  readonly workers: StorageWorkers;
  readonly trash: Trash;
  /** To whom new volumes are given: root of the containers' user namespaces; the host's root where undefined. */
  readonly owner?: Owner | undefined;
}

const known = ['type', 'o', 'device', 'size'];
const nameForm = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;
const flagNames = new Set([
  'ro',
  'rw',
  'nosuid',
  'suid',
  'nodev',
  'dev',
  'noexec',
  'exec',
  'sync',
  'async',
  'dirsync',
  'remount',
  'noatime',
  'atime',
  'nodiratime',
  'diratime',
  'relatime',
  'norelatime',
  'strictatime',
  'bind',
  'rbind',
  'private',
  'rprivate',
  'shared',
  'rshared',
  'slave',
  'rslave',
  'defaults',
]);
/** Options that only say the default. */
const noise = new Set(['rw', 'suid', 'dev', 'exec', 'async', 'atime', 'diratime', 'norelatime', 'defaults']);

function validate(options: StringMap): void {
  for (const [key, value] of Object.entries(options)) {
    if (!known.includes(key)) throw invalid(`invalid option: ${JSON.stringify(key)}`);
    if (value === '') throw invalid(`missing required option: ${JSON.stringify(key)}`);
  }
  if (options['size'] !== undefined)
    throw invalid(
      'quota size requested but no quota support: the local driver cannot limit the size of a volume here',
    );
  const needsBoth =
    options['o'] !== undefined || options['type'] !== undefined || options['device'] !== undefined;
  if (!needsBoth) return;
  for (const key of ['type', 'device'])
    if (options[key] === undefined && !(key === 'type' && isBind(options)))
      throw invalid(`missing required option: ${JSON.stringify(key)}`);
}

const words = (options: StringMap): string[] => (options['o'] ?? '').split(',').filter((word) => word !== '');
const isBind = (options: StringMap): boolean =>
  words(options).some((word) => word === 'bind' || word === 'rbind');

/** NFS in the kernel takes addresses only: `addr=` may be a name, as in mount.nfs. */
async function resolveAddress(word: string): Promise<string> {
  if (!word.startsWith('addr=')) return word;
  const { address } = await lookup(word.slice(5));
  return `addr=${address}`;
}

async function mountRequest(target: string, options: StringMap): Promise<MountRequest> {
  const all = words(options);
  const flags = all.filter((word) => flagNames.has(word) && !noise.has(word));
  const data = await Promise.all(all.filter((word) => !flagNames.has(word)).map(resolveAddress));
  const type = options['type'] ?? '';
  return {
    source: options['device'] ?? '',
    target,
    fstype: isBind(options) ? 'none' : type,
    flags: flags.flatMap((flag) => (flag === 'rbind' ? ['bind', 'rec'] : [flag])),
    ...(data.length > 0 && { data: data.join(',') }),
  };
}

/** False when it is there. Not by Node's `recursive`, which calls a disk that is read-only `no such file`. */
async function make(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode });
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

class LocalVolumes implements VolumeDriver {
  readonly name = 'local';
  readonly validate = validate;
  readonly #deps: LocalVolumesDeps;
  readonly #root: string;

  constructor(deps: LocalVolumesDeps, root: string) {
    this.#deps = deps;
    this.#root = root;
  }

  #path(name: string): string {
    // The name becomes a directory: nothing that could climb or hide may be in it.
    if (!nameForm.test(name)) throw invalid(`invalid volume name ${JSON.stringify(name)}`);
    return join(this.#root, name);
  }

  async create(name: string, options: StringMap): Promise<{ mountpoint: string }> {
    validate(options);
    const mountpoint = join(this.#path(name), '_data');
    await make(this.#path(name), 0o701);
    const made = await make(mountpoint, 0o755);
    const { owner } = this.#deps;
    if (made && owner !== undefined) await chown(mountpoint, owner.uid, owner.gid);
    return { mountpoint };
  }

  async mount(name: string, options: StringMap): Promise<{ path: string }> {
    const path = join(this.#path(name), '_data');
    if (options['device'] === undefined || (await this.#isMounted(name))) return { path };
    const request = await mountRequest(path, options);
    try {
      await this.#deps.host.mount(request);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw invalid(`error while mounting volume '${path}': failed to mount local volume: ${why}`, error);
    }
    return { path };
  }

  async unmount(name: string, options: StringMap): Promise<void> {
    if (options['device'] === undefined || !(await this.#isMounted(name))) return;
    await this.#deps.host.unmount(join(this.#path(name), '_data'));
  }

  /** By the list of mounts: a bind from the same filesystem is on the same device as what it covers. */
  async #isMounted(name: string): Promise<boolean> {
    const path = join(this.#path(name), '_data');
    return (await this.#deps.host.mounts(path)).some((mount) => mount.target === path);
  }

  async remove(name: string): Promise<void> {
    const data = join(this.#path(name), '_data');
    // What is mounted there is somebody's data: it must be gone before the directory is deleted.
    if (await this.#isMounted(name)) await this.#deps.host.unmount(data);
    await this.#deps.trash.discard(this.#path(name));
  }

  async removeEmpty(name: string): Promise<void> {
    for (const path of [join(this.#path(name), '_data'), this.#path(name)]) {
      try {
        await rmdir(path);
      } catch (error) {
        if (isErrno(error, 'ENOENT')) continue;
        // Something is in it, or mounted on it.
        if (isErrno(error, 'ENOTEMPTY') || isErrno(error, 'EEXIST') || isErrno(error, 'EBUSY')) return;
        throw error;
      }
    }
  }

  async list(): Promise<readonly string[]> {
    const entries = await readdir(this.#root, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && nameForm.test(entry.name))
      .map((entry) => entry.name);
  }

  async usage(name: string): Promise<number> {
    const directory = join(this.#path(name), '_data');
    return (await this.#deps.workers.run(backgroundCtx(), 'usage', { directory })).size;
  }

  async fill(name: string, from: string): Promise<void> {
    const to = join(this.#path(name), '_data');
    if ((await readdir(to)).length > 0) return;
    await this.#deps.workers.run(backgroundCtx(), 'copy', { from, to });
  }
}

/** Opens `<data root>/volumes`. */
export async function openLocalVolumes(deps: LocalVolumesDeps, dataRoot: string): Promise<VolumeDriver> {
  const root = join(dataRoot, 'volumes');
  await mkdir(root, { recursive: true, mode: 0o701 });
  return new LocalVolumes(deps, root);
}
