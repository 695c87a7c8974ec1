/** The daemon's Host: quick calls on the main thread, mounts on the thread pool, network work in the kernel worker. */

import { readFileSync, stat } from 'node:fs';
import { unavailable } from '../core/errors.ts';
import type { Host, SpawnOptions } from '../core/ports/host.ts';
import { cgroupLayout } from './cgroup/layout.ts';
import { readFacts } from './facts.ts';
import { closeQuietly } from './ffi/kernel-error.ts';
import { libc } from './ffi/libc.ts';
import { createLane, type Lane } from './lane.ts';
import { createNetworkWatch } from './network/watch.ts';
import { openInRoot, syncfs } from './mount/files.ts';
import { mountIdMapped } from './mount/id-mapped.ts';
import { parseMountInfo } from './mount/mountinfo.ts';
import { mount, mountsUnder, unmount } from './mount/mounts.ts';
import { openPidfd, readProcessStat, signalPidfd, duplicateFd } from './process/pidfd.ts';
import { socketpair } from './process/socketpair.ts';
import { spawnChild } from './process/spawn.ts';
import { createChildWaiter } from './process/wait.ts';
import { createUserNamespace } from './user-namespaces.ts';

export interface HostOptions {
  /** The worker's file; the default is right from source and in the bundle. */
  readonly workerUrl?: URL;
  /** slipway-shim, which makes user namespaces; without it there are none. */
  readonly shimPath?: string;
}

/** A Host with the means that tests need. */
export interface KernelHost extends Host {
  readonly lane: Lane;
}

/**
 * Threads of the pool inherit the namespaces of the thread that starts them: they are started here, on the main thread,
 * before any other thread could do it from inside a container's namespace.
 */
function startThreadPool(): void {
  stat('/', () => {});
  libc.close.async(-1, () => {});
}

export function createHost(options: HostOptions = {}): KernelHost {
  startThreadPool();
  const workerUrl = options.workerUrl ?? new URL('./kernel-worker.ts', import.meta.url);
  const lane = createLane(workerUrl);
  // For calls that take the kernel long; its thread starts with the first of them.
  const slowLane = createLane(workerUrl);
  const children = createChildWaiter();
  const watch = createNetworkWatch();
  const asNamespace = (fd: number): { fd: number; path: string } => ({
    fd,
    path: `/proc/${process.pid}/fd/${fd}`,
  });
  return {
    lane,
    spawn: async (request) => spawnChild(request),
    waitChild: (pid) => children.wait(pid),
    openPidfd,
    signalPidfd,
    duplicateFd,
    processStat: readProcessStat,
    closeFd: closeQuietly,
    socketpair,

    mountIdMapped,
    async createUserNamespace(request) {
      if (options.shimPath === undefined) throw unavailable('no program to make user namespaces');
      const deps = {
        spawn: async (program: SpawnOptions) => spawnChild(program),
        waitChild: (pid: number) => children.wait(pid),
        socketpair,
      };
      const made = await createUserNamespace(deps, options.shimPath, request);
      try {
        await lane.call('link', { fd: made.network.fd }, [{ op: 'setLink', name: 'lo', up: true }]);
        return made;
      } catch (error) {
        closeQuietly(made.user.fd);
        closeQuietly(made.network.fd);
        throw error;
      }
    },
    mount: (request) => mount(request, (inDirectory) => lane.call('mountInDirectory', inDirectory)),
    unmount,
    mounts: mountsUnder,
    syncfs,
    openInRoot,

    createNetns: async () => asNamespace(await lane.call('createNetns')),
    openNetns: (path) => lane.call('openNetns', path),
    link: (namespace, operations) => lane.call('link', namespace, operations),
    links: (namespace, name) => lane.call('links', namespace, name),
    addresses: (namespace) => lane.call('addresses', namespace),
    routes: (namespace) => lane.call('routes', namespace),
    ipsec: (namespace, changes) => lane.call('ipsec', namespace, changes),
    neighbours: (namespace) => lane.call('neighbours', namespace),
    nftApply: (namespace, changes) => lane.call('nftApply', namespace, changes),
    nftElements: (namespace, set) => lane.call('nftElements', namespace, set),
    nftChains: (namespace) => lane.call('nftChains', namespace),
    nftRules: (namespace, chain) => lane.call('nftRules', namespace, chain),
    deleteConntrack: (filter) => slowLane.call('deleteConntrack', filter),
    openSocket: (namespace, socket) => lane.call('openSocket', namespace, socket),
    async networkProgram(program) {
      const fd = await lane.call('networkProgram', program);
      return fd < 0 ? undefined : asNamespace(fd);
    },

    watchNetwork: (listener) => watch.listen(listener),

    facts: () => readFacts(lane.call('uplinkMtu')),
    cgroupLayout: () => cgroupLayout(parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'))),
    async close() {
      children.close();
      watch.close();
      await Promise.all([lane.close(), slowLane.close()]);
    },
  };
}
