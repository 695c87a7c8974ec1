/** Which namespace a reference means: the host's own, one behind a descriptor, one behind a path. */

import type { NamespaceRef, ProgramNamespace } from '../../../../src/core/ports/host.ts';
import type { DescriptorTable } from './descriptors.ts';
import { kernelFailure } from './errors.ts';
import { createFakeNamespace, destroyNamespace, type FakeNamespace } from './network.ts';

export interface NamespaceTable {
  /** The host's own. */
  readonly home: FakeNamespace;
  create(): { fd: number; path: string };
  open(namespace: FakeNamespace): number;
  find(ref: NamespaceRef | undefined): FakeNamespace;
  /** As `find`, for operations of a program that made `createdFd` (-1: none). */
  findIn(createdFd: number): (ref: ProgramNamespace) => FakeNamespace;
  /** Makes a namespace findable by a path, as that of a process is by /proc/PID/ns/net. */
  bind(path: string, namespace: FakeNamespace): void;
  /** Closes a descriptor; a namespace that nothing holds any more goes with its links. */
  close(fd: number): void;
}

export function createNamespaceTable(descriptors: DescriptorTable): NamespaceTable {
  const home = createFakeNamespace(0);
  const bound = new Map<string, FakeNamespace>();
  let last = 0;

  const find = (ref: NamespaceRef | undefined): FakeNamespace => {
    if (ref === undefined) return home;
    if ('path' in ref) {
      const fd = /^\/proc\/(?:self|\d+)\/fd\/(\d+)$/.exec(ref.path)?.[1];
      if (fd !== undefined) return find({ fd: Number(fd) });
      const found = bound.get(ref.path);
      if (found === undefined) throw kernelFailure('open', 'ENOENT', ref.path);
      return found;
    }
    const entry = descriptors.get(ref.fd);
    if (entry.kind !== 'netns') throw kernelFailure('setns', 'EINVAL', `descriptor ${ref.fd}`);
    return entry.namespace;
  };
  const open = (namespace: FakeNamespace): number => descriptors.open({ kind: 'netns', namespace });
  const isHeld = (namespace: FakeNamespace): boolean =>
    namespace === home || [...bound.values()].includes(namespace) || descriptors.holds(namespace);

  return {
    home,
    find,
    open,
    create() {
      const fd = open(createFakeNamespace(++last));
      return { fd, path: `/proc/${process.pid}/fd/${fd}` };
    },
    findIn: (createdFd) => (ref) => {
      if (!('created' in ref)) return find(ref);
      if (createdFd < 0) throw kernelFailure('setns', 'EINVAL', 'the program makes no namespace');
      return find({ fd: createdFd });
    },
    bind: (path, namespace) => void bound.set(path, namespace),
    close(fd) {
      const entry = descriptors.peek(fd);
      descriptors.close(fd);
      if (entry?.kind === 'netns' && !isHeld(entry.namespace)) destroyNamespace(entry.namespace);
    },
  };
}
