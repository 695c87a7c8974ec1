/**
 * Mounts that would turn the OCI runtime against the host. It writes to /proc while it sets a container up (labels, sysctls) and
 * takes /dev/null to hide paths: an image whose `/data` is a link to `/proc`, or a volume on /dev that another container filled,
 * would choose what those are. Newer runtimes refuse this themselves; which one is installed must not matter.
 * Attacks: CVE-2019-19921, CVE-2025-31133, CVE-2025-52565, CVE-2025-52881.
 */

import { lstatSync, readlinkSync } from 'node:fs';
import { join, posix } from 'node:path';
import { deviceNumbers } from '../../core/device-numbers.ts';
import { invalid } from '../../core/errors.ts';
import type { SpecMount } from '../../core/ports/spec-builder.ts';
import type { ContainerHost } from './deps.ts';
import { causedBy } from './rootfs-files.ts';

/** What may be put over in /proc: files that only tell numbers (as lxcfs does). The list is runc's. */
const harmless = new Set([
  '/proc/cpuinfo',
  '/proc/diskstats',
  '/proc/meminfo',
  '/proc/stat',
  '/proc/swaps',
  '/proc/uptime',
  '/proc/loadavg',
  '/proc/slabinfo',
  '/proc/net/dev',
  '/proc/sys/kernel/ns_last_pid',
  '/proc/sys/crypto/fips_enabled',
]);

/** Where a path of the container leads once its image's links are followed, as far as it exists. */
async function resolved(host: ContainerHost, root: string, path: string): Promise<string> {
  const missing: string[] = [];
  for (let at = path; at !== '/'; at = posix.dirname(at)) {
    try {
      const fd = await host.openInRoot(root, at);
      try {
        const target = readlinkSync(`/proc/self/fd/${fd}`);
        // Not below the root: a kernel worker of the tests, which has no real files.
        if (target !== root && !target.startsWith(`${root}/`)) return path;
        return posix.join('/', target.slice(root.length), ...missing);
      } finally {
        host.closeFd(fd);
      }
    } catch (error) {
      // A loop or a file in the way is the runtime's to complain about.
      if (!causedBy(error, 'ENOENT')) return path;
      missing.unshift(posix.basename(at));
    }
  }
  return path;
}

/**
 * Whether no link is on the way, as far as the path exists: nearly always so, and by plain looks a tenth of the work. `seen`: what others found, for
 * places that lie side by side.
 */
function isWithoutLinks(
  root: string,
  path: string,
  seen: Map<string, 'plain' | 'missing' | 'link'>,
): boolean {
  let at = '';
  for (const name of posix.normalize(path).split('/').slice(1)) {
    at = `${at}/${name}`;
    let found = seen.get(at);
    if (found === undefined) {
      const status = lstatSync(`${root}${at}`, { throwIfNoEntry: false });
      found = status === undefined ? 'missing' : status.isSymbolicLink() ? 'link' : 'plain';
      seen.set(at, found);
    }
    if (found === 'missing') return true;
    if (found === 'link') return false;
  }
  return true;
}

/** A folder that becomes /dev must bring the real null device, and no link that leads the terminal elsewhere. */
function checkDevices(mount: SpecMount): void {
  const nothing = lstatSync(join(mount.source, 'null'), { throwIfNoEntry: false });
  const { major, minor } = deviceNumbers(nothing?.rdev ?? 0);
  if (nothing?.isCharacterDevice() !== true || major !== 1 || minor !== 3) {
    throw invalid(`cannot mount ${mount.source} on /dev: its "null" is not the null device`);
  }
  const console = lstatSync(join(mount.source, 'console'), { throwIfNoEntry: false });
  if (console?.isSymbolicLink() === true) {
    throw invalid(`cannot mount ${mount.source} on /dev: its "console" is a link`);
  }
}

/**
 * What the runtime mounts and fills itself must be folders of the container. Where the image (or a former run) made `/dev` a link,
 * runc 1.1 and crun 1.8 put their own links and nodes where it leads on the host.
 */
function checkRoot(root: string): void {
  for (const name of ['dev', 'proc', 'sys']) {
    const found = lstatSync(join(root, name), { throwIfNoEntry: false });
    if (found !== undefined && !found.isDirectory())
      throw invalid(`the container's /${name} is not a directory: nothing can be mounted there`);
  }
}

/** `invalid` for a mount that must not be; `root` is the container's root filesystem, mounted. */
export async function guardMounts(
  host: ContainerHost,
  root: string,
  mounts: readonly SpecMount[],
): Promise<void> {
  checkRoot(root);
  const seen = new Map<string, 'plain' | 'missing' | 'link'>();
  await Promise.all(
    mounts.map(async (mount) => {
      const place = isWithoutLinks(root, mount.destination, seen)
        ? posix.normalize(mount.destination)
        : await resolved(host, root, mount.destination);
      if (place === '/')
        throw invalid(`"${mount.source}" cannot be mounted at "${mount.destination}": it leads to /`);
      if ((place === '/proc' || place.startsWith('/proc/')) && !harmless.has(place)) {
        throw invalid(
          `"${mount.source}" cannot be mounted at "${mount.destination}" because it is inside /proc`,
        );
      }
      if (place === '/dev' && mount.type === 'bind') checkDevices(mount);
    }),
  );
}
