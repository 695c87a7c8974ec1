/** The state of a thread that does network work: its own namespace and its sockets there. Synchronous; any thread may have one. */

import { threadId } from 'node:worker_threads';
import type { NamespaceRef, ProgramNamespace } from '../../core/ports/host.ts';
import { closeQuietly, kernelError } from '../ffi/kernel-error.ts';
import { netlinkFamily, openNetlink } from '../netlink/socket.ts';
import { inNamespace, openThreadNamespace, type NamespaceThread } from './namespaces.ts';

export interface NetworkThread extends NamespaceThread {
  /** The home namespace's rtnetlink and nfnetlink sockets, kept open. */
  route(): number;
  netfilter(): number;
  close(): void;
}

export function createNetworkThread(): NetworkThread {
  const homeFd = openThreadNamespace();
  let route = -1;
  let netfilter = -1;
  return {
    homeFd,
    route: () => (route >= 0 ? route : (route = openNetlink(netlinkFamily.route))),
    netfilter: () =>
      netfilter >= 0 ? netfilter : (netfilter = openNetlink(netlinkFamily.netfilter, threadId)),
    close() {
      for (const fd of [route, netfilter, homeFd]) closeQuietly(fd);
    },
  };
}

/** Runs `work` in a namespace with a netlink socket that belongs to it; sockets of foreign namespaces are closed after. */
export function withSocket<T>(
  thread: NetworkThread,
  family: 'route' | 'netfilter',
  namespace: NamespaceRef | undefined,
  work: (fd: number) => T,
): T {
  if (namespace === undefined) return work(thread[family]());
  return inNamespace(thread, namespace, () => {
    const fd = openNetlink(netlinkFamily[family]);
    try {
      return work(fd);
    } finally {
      closeQuietly(fd);
    }
  });
}

/** Puts the descriptor of the namespace that a program made in place of `{ created: true }`. */
export function resolveNamespace(namespace: ProgramNamespace, createdFd: number): NamespaceRef {
  if (!('created' in namespace)) return namespace;
  if (createdFd < 0) throw kernelError('setns', 22, 'the program makes no namespace');
  return { fd: createdFd };
}
