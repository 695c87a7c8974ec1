/** The fake's descriptor table. Its numbers are far from real ones, which `closeFd` hands to the real kernel. */

import { closeSync } from 'node:fs';
import { kernelFailure } from './errors.ts';
import type { FakeNamespace } from './network.ts';

export type FakeDescriptor =
  | { readonly kind: 'netns'; readonly namespace: FakeNamespace }
  | { readonly kind: 'pidfd'; readonly pid: number }
  | { readonly kind: 'socket'; readonly release: () => void }
  | { readonly kind: 'pair' };

export interface DescriptorTable {
  open(what: FakeDescriptor): number;
  get(fd: number): FakeDescriptor;
  /** As `get`, undefined for a number that is not open or is a real descriptor. */
  peek(fd: number): FakeDescriptor | undefined;
  close(fd: number): void;
  /** Whether a descriptor of this namespace is open. */
  holds(namespace: FakeNamespace): boolean;
  /** Open ones by kind: to show that nothing leaks. */
  count(kind?: FakeDescriptor['kind']): number;
}

const firstFd = 100_000;

export function createDescriptorTable(): DescriptorTable {
  const table = new Map<number, FakeDescriptor>();
  let next = firstFd;
  return {
    open(what) {
      table.set(next, what);
      return next++;
    },
    get(fd) {
      const found = table.get(fd);
      if (found === undefined) throw kernelFailure('descriptor', 'EBADF', String(fd));
      return found;
    },
    peek: (fd) => table.get(fd),
    close(fd) {
      const found = table.get(fd);
      table.delete(fd);
      if (found?.kind === 'socket') found.release();
      if (found !== undefined || fd < 0 || fd >= firstFd) return;
      closeSync(fd);
    },
    holds: (namespace) =>
      [...table.values()].some((entry) => entry.kind === 'netns' && entry.namespace === namespace),
    count: (kind) => [...table.values()].filter((entry) => kind === undefined || entry.kind === kind).length,
  };
}
