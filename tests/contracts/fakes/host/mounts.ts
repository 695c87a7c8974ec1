/** Mounts of a fake kernel: a list of mount points over the real file tree, whose content they do not change. */

import { closeSync, constants, lstatSync, openSync, readlinkSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Host, MountPoint, MountRequest } from '../../../../src/core/ports/host.ts';
import { codeOf, kernelFailure } from './errors.ts';

export interface FakeMounts {
  mount(request: MountRequest): void;
  unmount(target: string): void;
  under(path: string): MountPoint[];
}

const spreads = ['private', 'slave', 'shared', 'unbindable'];

function propagationOf(flags: readonly string[], before: string): string {
  const named = flags.map((flag) => flag.replace(/^r(?=private|slave|shared|unbindable)/, ''));
  return named.find((flag) => spreads.includes(flag)) ?? before;
}

function mustExist(path: string): void {
  try {
    statSync(path);
  } catch (error) {
    throw kernelFailure('mount', codeOf(error), path);
  }
}

export function createFakeMounts(): FakeMounts {
  let mounts: MountPoint[] = [];
  const top = (target: string): MountPoint | undefined => mounts.findLast((mount) => mount.target === target);
  return {
    mount(request) {
      const { target, source, fstype, flags, data = '' } = request;
      mustExist(target);
      const isBind = flags.some((flag) => flag === 'bind' || flag === 'rbind');
      const below = top(target);
      const mode = flags.includes('ro') ? 'ro' : 'rw';
      const restrictions = flags.filter((flag) => ['nosuid', 'nodev', 'noexec'].includes(flag));
      const options = [mode, ...(data === '' ? [] : [data])].join(',');
      const mountOptions = [mode, ...restrictions].join(',');
      if (flags.includes('remount') || (fstype === '' && !isBind)) {
        if (below === undefined) throw kernelFailure('mount', 'EINVAL', target);
        const changed = { ...below, propagation: propagationOf(flags, below.propagation) };
        const kept = flags.includes('remount') ? { ...changed, options, mountOptions } : changed;
        mounts = mounts.map((mount) => (mount === below ? kept : mount));
        return;
      }
      if (isBind) mustExist(source);
      mounts.push({
        target,
        source,
        fstype: isBind ? 'bind' : fstype,
        options,
        mountOptions,
        propagation: propagationOf(flags, 'private'),
      });
    },
    unmount(target) {
      const last = top(target);
      mounts = mounts.filter((mount) => mount !== last);
    },
    under: (path) =>
      mounts.filter(({ target }) => target === path || target.startsWith(`${path === '/' ? '' : path}/`)),
  };
}

const mostLinks = 40;

/** Walks as RESOLVE_IN_ROOT does: `..` and absolute links stop at the root. */
function resolveIn(root: string, path: string, noSymlinks: boolean): string {
  let done: string[] = [];
  const rest = path.split('/');
  for (let links = 0; rest.length > 0;) {
    const part = rest.shift() ?? '';
    if (part === '' || part === '.') continue;
    if (part === '..') {
      done = done.slice(0, -1);
      continue;
    }
    const here = join(root, ...done, part);
    const isLink = lstatSync(here, { throwIfNoEntry: false })?.isSymbolicLink() === true;
    if (!isLink) {
      done.push(part);
      continue;
    }
    if (noSymlinks || ++links > mostLinks) throw kernelFailure('openat2', 'ELOOP', path);
    const to = readlinkSync(here);
    if (to.startsWith('/')) done = [];
    rest.unshift(...to.split('/'));
  }
  return join(root, ...done);
}

/** On the real files, with a real descriptor. */
export const fakeOpenInRoot: Host['openInRoot'] = async (rootPath, path, options = {}) => {
  const target = resolveIn(resolve(rootPath), path, options.noSymlinks === true);
  try {
    return openSync(target, options.flags ?? constants.O_RDONLY, options.mode);
  } catch (error) {
    throw kernelFailure('openat2', codeOf(error), path);
  }
};

export async function fakeSyncfs(path: string): Promise<void> {
  try {
    closeSync(openSync(path, constants.O_RDONLY));
  } catch (error) {
    throw kernelFailure('open', codeOf(error), path);
  }
}
