/**
 * A Host in memory: namespaces, links, addresses, routes, nftables, mounts, processes. It passes the same contract suite
 * as the real one; tests of other rooms run on it without root and look into `kernel` for what is left behind.
 */

import type { CgroupLayout, Host, HostFacts, NetworkChange } from '../../../../src/core/ports/host.ts';
import { createDescriptorTable, type DescriptorTable } from './descriptors.ts';
import { createFakeMounts, fakeOpenInRoot, fakeSyncfs, type FakeMounts } from './mounts.ts';
import { createNamespaceTable, type NamespaceTable } from './namespaces.ts';
import { fakeNetworkCalls } from './network-calls.ts';
import { createFakeProcesses, fakeProcessCalls, type FakeProgram, type FakeProcesses } from './processes.ts';

export interface FakeHostOptions {
  /** What programs do, by path. */
  readonly programs?: Readonly<Record<string, FakeProgram>>;
  readonly cgroups?: CgroupLayout;
  readonly facts?: Partial<HostFacts>;
}

export interface FakeKernel {
  readonly namespaces: NamespaceTable;
  readonly descriptors: DescriptorTable;
  readonly mounts: FakeMounts;
  readonly processes: FakeProcesses;
  /** Who watches the host's network: a test tells them what somebody changed. */
  readonly watchers: Set<(changes: readonly NetworkChange[]) => void>;
}

export interface FakeHost extends Host {
  readonly kernel: FakeKernel;
}

const defaultCgroups: CgroupLayout = { version: 2, controllers: {}, unified: '/sys/fs/cgroup' };
const defaultFacts: HostFacts = {
  kernelVersion: '6.1.0',
  operatingSystem: 'Debian GNU/Linux 12 (bookworm)',
  osVersion: '12',
  architecture: 'x86_64',
  cpus: 2,
  memoryTotal: 2 ** 32,
  hostname: 'fake',
  uplinkMtu: 1500,
  filesystems: ['ext4', 'overlay', 'proc', 'tmpfs'],
};

export function createFakeHost(options: FakeHostOptions = {}): FakeHost {
  const descriptors = createDescriptorTable();
  const namespaces = createNamespaceTable(descriptors);
  const mounts = createFakeMounts();
  const processes = createFakeProcesses(options.programs ?? {});
  const watchers: FakeKernel['watchers'] = new Set();
  return {
    kernel: { namespaces, descriptors, mounts, processes, watchers },
    ...fakeProcessCalls(processes, descriptors),
    closeFd: (fd) => namespaces.close(fd),
    duplicateFd: (_pidfd, theirFd) => descriptors.open(descriptors.get(theirFd)),
    socketpair: () => [descriptors.open({ kind: 'pair' }), descriptors.open({ kind: 'pair' })],
    mount: async (request) => mounts.mount(request),
    mountIdMapped: async ({ source, target }) =>
      mounts.mount({ source, target, fstype: '', flags: ['bind'] }),
    createUserNamespace: async () => {
      const fd = descriptors.open({ kind: 'pair' });
      const user = { fd, path: `/proc/${process.pid}/fd/${fd}` };
      return { user, network: namespaces.create() };
    },
    unmount: async (target) => mounts.unmount(target),
    mounts: async (under) => mounts.under(under),
    syncfs: fakeSyncfs,
    openInRoot: fakeOpenInRoot,
    ...fakeNetworkCalls(namespaces, descriptors),
    watchNetwork(listener) {
      watchers.add(listener);
      return () => watchers.delete(listener);
    },
    facts: async () => ({ ...defaultFacts, ...options.facts }),
    cgroupLayout: () => options.cgroups ?? defaultCgroups,
    close: async () => {},
  };
}
