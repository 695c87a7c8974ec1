/**
 * Which network namespace a thread is in. `setns` and `unshare` act on the calling thread alone, so a thread that visits
 * a foreign namespace must make synchronous calls only: an asynchronous one could start a pool thread that stays there.
 */

import type { NamespaceRef } from '../../core/ports/host.ts';
import { checked, closeQuietly, kernelError } from '../ffi/kernel-error.ts';
import { libc, readErrno } from '../ffi/libc.ts';

const CLONE_NEWNET = 0x40000000;
const O_RDONLY_CLOEXEC = 0o2000000;

/** The thread could not return to its own namespace: it must not do anything more. */
export class LostNamespaceError extends Error {
  override name = 'LostNamespaceError';
}

/** What a thread needs for its visits; `homeFd` is the namespace that it started in. */
export interface NamespaceThread {
  readonly homeFd: number;
}

/** `/proc/thread-self` is the calling thread's own; without it (kernel before 3.17) nothing here works. */
export function openThreadNamespace(): number {
  const path = '/proc/thread-self/ns/net';
  return checked(libc.open(path, O_RDONLY_CLOEXEC, 0), 'open', path);
}

export function openNamespace(path: string): number {
  return checked(libc.open(path, O_RDONLY_CLOEXEC, 0), 'open', path);
}

/** Runs `visit` with a descriptor of the namespace; one given by path is opened and closed again. */
export function withNamespaceFd<T>(
  namespace: { fd: number } | { path: string },
  visit: (fd: number) => T,
): T {
  if ('fd' in namespace) return visit(namespace.fd);
  const fd = openNamespace(namespace.path);
  try {
    return visit(fd);
  } finally {
    closeQuietly(fd);
  }
}

function goHome(thread: NamespaceThread): void {
  if (libc.setns(thread.homeFd, CLONE_NEWNET) !== 0) {
    throw new LostNamespaceError(`cannot return to the host's network namespace: errno ${readErrno()}`);
  }
}

/** Runs synchronous calls inside a namespace (undefined: at home) and comes back, or throws LostNamespaceError. */
export function inNamespace<T>(
  thread: NamespaceThread,
  namespace: Exclude<NamespaceRef, { created: true }> | undefined,
  work: () => T,
): T {
  if (namespace === undefined) return work();
  return withNamespaceFd(namespace, (fd) => {
    checked(libc.setns(fd, CLONE_NEWNET), 'setns', 'path' in namespace ? namespace.path : `descriptor ${fd}`);
    try {
      return work();
    } finally {
      goHome(thread);
    }
  });
}

/** Makes a namespace, runs `prepare` inside it and comes back; the descriptor keeps it alive. */
export function makeNamespace(thread: NamespaceThread, prepare: () => void): number {
  if (libc.unshare(CLONE_NEWNET) !== 0) throw kernelError('unshare', readErrno(), 'network namespace');
  let fd = -1;
  try {
    fd = openThreadNamespace();
    prepare();
    return fd;
  } catch (error) {
    closeQuietly(fd);
    throw error;
  } finally {
    goHome(thread);
  }
}
