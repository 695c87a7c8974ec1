/**
 * A Host for slipway-net: no worker (it would cost more memory than the rest of that process), so a visit to a foreign
 * namespace happens on the main thread, for the microseconds that a few synchronous calls take. A main thread that could
 * not come back would serve the host's lookups from inside a container: the process ends instead.
 */

import { stat } from 'node:fs';
import type { Host } from '../core/ports/host.ts';
import { closeQuietly } from './ffi/kernel-error.ts';
import { libc } from './ffi/libc.ts';
import { Datagrams, type DatagramAnswer, type ReadDatagram } from './network/datagrams.ts';
import { LostNamespaceError } from './network/namespaces.ts';
import { networkCalls } from './network/requests.ts';
import { createNetworkThread } from './network/thread.ts';
import { openPidfd, readProcessStat, signalPidfd, duplicateFd } from './process/pidfd.ts';
import { socketpair } from './process/socketpair.ts';

export type LightHost = Pick<
  Host,
  | 'openSocket'
  | 'nftApply'
  | 'nftRules'
  | 'nftElements'
  | 'nftChains'
  | 'openNetns'
  | 'links'
  | 'addresses'
  | 'openPidfd'
  | 'signalPidfd'
  | 'duplicateFd'
  | 'processStat'
  | 'closeFd'
  | 'socketpair'
  | 'close'
> & {
  /**
   * Reads what waits on an IPv4 UDP socket, 64 datagrams at most, and sends the answers, that of `first` (read by other means)
   * before them. Instant; how many there were.
   */
  answerDatagrams(fd: number, answer: DatagramAnswer, first?: ReadDatagram): number;
};

/** Exit code of a process whose main thread is stuck in a foreign namespace (EX_OSERR). */
const lostExitCode = 71;

function guarded<T>(call: () => T): Promise<T> {
  try {
    return Promise.resolve(call());
  } catch (error) {
    if (error instanceof LostNamespaceError) {
      process.stderr.write(`${error.message}\n`);
      process.exit(lostExitCode);
    }
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
}

export function createLightHost(): LightHost {
  // The pool's threads inherit the namespaces of this moment; later ones might start during a visit.
  stat('/', () => {});
  libc.close.async(-1, () => {});
  const thread = createNetworkThread();
  const datagrams = new Datagrams();
  const calls = networkCalls(thread);
  return {
    answerDatagrams: (fd, answer, first) => datagrams.answer(fd, answer, first),
    openSocket: (namespace, socket) => guarded(() => calls.openSocket(namespace, socket)),
    nftApply: (namespace, changes) => guarded(() => calls.nftApply(namespace, changes)),
    nftElements: (namespace, set) => guarded(() => calls.nftElements(namespace, set)),
    nftChains: (namespace) => guarded(() => calls.nftChains(namespace)),
    nftRules: (namespace, chain) => guarded(() => calls.nftRules(namespace, chain)),
    openNetns: (path) => guarded(() => calls.openNetns(path)),
    links: (namespace, name) => guarded(() => calls.links(namespace, name)),
    addresses: (namespace) => guarded(() => calls.addresses(namespace)),
    openPidfd,
    signalPidfd,
    duplicateFd,
    processStat: readProcessStat,
    closeFd: closeQuietly,
    socketpair,
    close: () => Promise.resolve(thread.close()),
  };
}
