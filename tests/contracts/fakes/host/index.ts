/**
 * A Host in memory: namespaces, links, addresses, routes, nftables, mounts, processes. It passes the same contract suite
 * as the real one; tests of other rooms run on it without root and look into `kernel` for what is left behind.
 */

import type { CgroupLayout, Host, NamespaceRef, ProgramNamespace } from '../../../../src/core/ports/host.ts';
import { createDescriptorTable, type DescriptorTable } from './descriptors.ts';
import { atIndex, kernelFailure } from './errors.ts';
import { createFakeMounts, fakeOpenInRoot, fakeSyncfs, type FakeMounts } from './mounts.ts';
import {
  createFakeNamespace,
  destroyNamespace,
  fakeAddresses,
  fakeLinks,
  fakeRoutes,
  runFakeOperation,
  type FakeNamespace,
} from './network.ts';
import { createFakeProcesses, type FakeProgram, type FakeProcesses } from './processes.ts';

export interface FakeHostOptions {
  /** What programs do, by path. */
  readonly programs?: Readonly<Record<string, FakeProgram>>;
  readonly cgroups?: CgroupLayout;
  readonly uplinkMtu?: number;
}

export interface FakeKernel {
  /** The host's own namespace. */
  readonly home: FakeNamespace;
  readonly descriptors: DescriptorTable;
  readonly mounts: FakeMounts;
  readonly processes: FakeProcesses;
  /** Makes a namespace findable by a path, as that of a process is by /proc/PID/ns/net. */
  bindNamespace(path: string, namespace: FakeNamespace): void;
  /** The namespace behind a reference. */
  namespace(ref: NamespaceRef | undefined): FakeNamespace;
}

export interface FakeHost extends Host {
  readonly kernel: FakeKernel;
}

const defaultCgroups: CgroupLayout = { version: 2, controllers: {}, unified: '/sys/fs/cgroup' };
const firstFreePort = 32768;

export function createFakeHost(options: FakeHostOptions = {}): FakeHost {
  const home = createFakeNamespace(0);
  const descriptors = createDescriptorTable();
  const mounts = createFakeMounts();
  const processes = createFakeProcesses(options.programs ?? {});
  const paths = new Map<string, FakeNamespace>();
  let lastNamespace = 0;
  let lastPort = firstFreePort;

  const namespaceOf = (ref: NamespaceRef | undefined): FakeNamespace => {
    if (ref === undefined) return home;
    if ('path' in ref) {
      const fd = /^\/proc\/(?:self|\d+)\/fd\/(\d+)$/.exec(ref.path)?.[1];
      if (fd !== undefined) return namespaceOf({ fd: Number(fd) });
      const found = paths.get(ref.path);
      if (found === undefined) throw kernelFailure('open', 'ENOENT', ref.path);
      return found;
    }
    const entry = descriptors.get(ref.fd);
    if (entry.kind !== 'netns') throw kernelFailure('setns', 'EINVAL', `descriptor ${ref.fd}`);
    return entry.namespace;
  };
  const openNamespace = (namespace: FakeNamespace): number => descriptors.open({ kind: 'netns', namespace });
  const createNetns = (): { fd: number; path: string } => {
    const fd = openNamespace(createFakeNamespace(++lastNamespace));
    return { fd, path: `/proc/${process.pid}/fd/${fd}` };
  };
  const closeFd = (fd: number): void => {
    const namespace = tryNamespace(fd);
    descriptors.close(fd);
    if (namespace !== undefined && !stillHeld(namespace)) destroyNamespace(namespace);
  };
  const tryNamespace = (fd: number): FakeNamespace | undefined => {
    try {
      return namespaceOf({ fd });
    } catch {
      return undefined;
    }
  };
  const stillHeld = (namespace: FakeNamespace): boolean =>
    namespace === home || [...paths.values()].includes(namespace) || descriptors.holds(namespace);

  const resolveIn =
    (created: number) =>
    (ref: ProgramNamespace): FakeNamespace => {
      if (!('created' in ref)) return namespaceOf(ref);
      if (created < 0) throw kernelFailure('setns', 'EINVAL', 'the program makes no namespace');
      return namespaceOf({ fd: created });
    };

  const host: Host = {
    async spawn(request) {
      const pid = processes.spawn(request);
      return { pid, pidfd: descriptors.open({ kind: 'pidfd', pid }) };
    },
    waitChild: (pid) => processes.wait(pid),
    openPidfd(pid, startTicks) {
      const stat = processes.stat(pid);
      if (stat === undefined || !processes.alive(pid)) return -1;
      if (startTicks !== undefined && stat.startTicks !== startTicks) return -1;
      return descriptors.open({ kind: 'pidfd', pid });
    },
    signalPidfd(pidfd, signal) {
      const entry = descriptors.get(pidfd);
      if (entry.kind !== 'pidfd') throw kernelFailure('pidfd_send_signal', 'EBADF', String(pidfd));
      return processes.signal(entry.pid, signal);
    },
    processStat: (pid) => processes.stat(pid),
    closeFd,
    duplicateFd: (_pidfd, theirFd) => descriptors.open(descriptors.get(theirFd)),
    socketpair: () => [descriptors.open({ kind: 'pair' }), descriptors.open({ kind: 'pair' })],

    mount: async (request) => mounts.mount(request),
    unmount: async (target) => mounts.unmount(target),
    mounts: async (under) => mounts.under(under),
    syncfs: fakeSyncfs,
    openInRoot: fakeOpenInRoot,

    createNetns: async () => createNetns(),
    openNetns: async (path) => openNamespace(namespaceOf({ path })),
    async link(ref, operations) {
      const namespace = namespaceOf(ref);
      runAll(namespace, operations, resolveIn(-1), 0);
    },
    links: async (ref) => fakeLinks(namespaceOf(ref)),
    addresses: async (ref) => fakeAddresses(namespaceOf(ref)),
    routes: async (ref) => fakeRoutes(namespaceOf(ref)),
    nftApply: async (ref, changes) => namespaceOf(ref).nft.apply(changes),
    nftElements: async (ref, set) => namespaceOf(ref).nft.elements(set),
    nftChains: async (ref) => namespaceOf(ref).nft.chains(),
    nftRules: async (ref, chain) => namespaceOf(ref).nft.rules(chain),
    deleteConntrack: async () => 0,
    async openSocket(ref, request) {
      const { sockets } = namespaceOf(ref);
      const port = request.port === 0 ? ++lastPort : request.port;
      const name = (address: string): string => `${request.type} ${address} ${port}`;
      const wildcard = request.address.includes(':') ? '::' : '0.0.0.0';
      const clashes =
        request.address === wildcard
          ? [...sockets].some((bound) => bound.startsWith(`${request.type} `) && bound.endsWith(` ${port}`))
          : sockets.has(name(request.address)) || sockets.has(name(wildcard));
      if (clashes) throw kernelFailure('bind', 'EADDRINUSE', name(request.address));
      sockets.add(name(request.address));
      const release = (): void => void sockets.delete(name(request.address));
      return { fd: descriptors.open({ kind: 'socket', release }), port };
    },
    async networkProgram(program) {
      const made = program.createNamespace === true ? createNetns() : undefined;
      const resolve = resolveIn(made?.fd ?? -1);
      let done = 0;
      try {
        for (const { namespace: where, operations = [], nft = [] } of program.steps) {
          const namespace = where === undefined ? home : resolve(where);
          runAll(namespace, operations, resolve, done);
          done += operations.length;
          if (nft.length > 0) applyFrom(namespace, nft, done);
          done += nft.length;
        }
        return made;
      } catch (error) {
        if (made !== undefined) closeFd(made.fd);
        throw error;
      }
    },

    facts: async () => ({
      kernelVersion: '6.1.0',
      operatingSystem: 'Debian GNU/Linux 12 (bookworm)',
      osVersion: '12',
      architecture: 'x86_64',
      cpus: 2,
      memoryTotal: 2 ** 32,
      hostname: 'fake',
      uplinkMtu: options.uplinkMtu ?? 1500,
      filesystems: ['ext4', 'overlay', 'proc', 'tmpfs'],
    }),
    cgroupLayout: () => options.cgroups ?? defaultCgroups,
    close: async () => {},
  };
  const kernel: FakeKernel = {
    home,
    descriptors,
    mounts,
    processes,
    bindNamespace: (path, namespace) => void paths.set(path, namespace),
    namespace: namespaceOf,
  };
  return { ...host, kernel };
}

function runAll(
  namespace: FakeNamespace,
  operations: readonly Parameters<typeof runFakeOperation>[1][],
  resolve: Parameters<typeof runFakeOperation>[2],
  offset: number,
): void {
  operations.forEach((operation, at) => {
    try {
      runFakeOperation(namespace, operation, resolve);
    } catch (error) {
      throw atIndex(error, offset + at);
    }
  });
}

function applyFrom(
  namespace: FakeNamespace,
  changes: Parameters<FakeNamespace['nft']['apply']>[0],
  offset: number,
): void {
  try {
    namespace.nft.apply(changes);
  } catch (error) {
    const index =
      error instanceof Error ? ((error.cause as { index?: number } | undefined)?.index ?? -1) : -1;
    throw atIndex(error, offset + index);
  }
}
