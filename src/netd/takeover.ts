/** A new slipway-net takes the sockets of the running one: both serve for a moment, none is ever closed in between. */

import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { unavailable } from '../core/errors.ts';
import {
  LineReader,
  pidPath,
  socketPath,
  type NetdOperation,
  type NetdReplies,
  type NetdReply,
  type NetdRequests,
} from '../core/netd-protocol.ts';
import type { LightHost } from '../host/index.ts';
import type { Holdings } from './state.ts';

export interface Predecessor {
  readonly pid: number;
  call<K extends NetdOperation>(op: K, input: NetdRequests[K]): Promise<NetdReplies[K]>;
  close(): void;
}

function openConnection(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket));
    socket.once('error', reject);
  });
}

const endPatienceMs = 5000;
const endPollMs = 5;

/** Whether a process is a slipway-net of this run root; one that is dying has no command line any more. */
function mayBeFormer(pid: number, runRoot: string): boolean {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return command === '' || command.split('\0').includes(runRoot);
  } catch {
    return false;
  }
}

/**
 * Waits until the process that served before is gone or a zombie: a killed one closes its sockets one after another, and
 * the ports that are still open could not be taken over from its saved state.
 */
export async function formerEnded(host: Pick<LightHost, 'processStat'>, runRoot: string): Promise<void> {
  let pid: number;
  try {
    pid = Number(readFileSync(pidPath(runRoot), 'utf8'));
  } catch {
    return;
  }
  const deadline = performance.now() + endPatienceMs;
  while (performance.now() < deadline) {
    const state = pid > 0 && pid !== process.pid ? host.processStat(pid)?.state : undefined;
    if (state === undefined || state === 'Z' || state === 'X' || !mayBeFormer(pid, runRoot)) return;
    await delay(endPollMs);
  }
}

/** Undefined when nobody serves the run root. */
export async function findPredecessor(runRoot: string): Promise<Predecessor | undefined> {
  let socket: Socket;
  try {
    socket = await openConnection(socketPath(runRoot));
  } catch {
    return undefined;
  }
  const reader = new LineReader();
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let last = 0;
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    for (const line of reader.push(chunk)) {
      const reply = JSON.parse(line) as NetdReply;
      const entry = waiting.get(reply.id);
      waiting.delete(reply.id);
      if ('error' in reply) entry?.reject(unavailable(reply.error.message));
      else entry?.resolve(reply.result as never);
    }
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    for (const { reject } of waiting.values()) reject(unavailable('the running slipway-net went away'));
  });
  const call: Predecessor['call'] = (op, input) =>
    new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, { resolve, reject });
      socket.write(`${JSON.stringify({ id, op, input })}\n`);
    });
  // The state has its own version; asking who is there works with every protocol.
  try {
    const { pid } = await call('stats', {});
    return { pid, call, close: () => socket.destroy() };
  } catch {
    // It took the connection while it was dying.
    return undefined;
  }
}

/** Adopts what the predecessor holds. Its process goes on until `yield`. */
export async function takeOver(host: LightHost, holdings: Holdings, predecessor: Predecessor): Promise<void> {
  const state = await predecessor.call('handover', {});
  const pidfd = host.openPidfd(predecessor.pid);
  if (pidfd < 0) throw unavailable('the running slipway-net went away');
  try {
    const take = (fd: number): number => host.duplicateFd(pidfd, fd);
    for (const zone of state.zones) holdings.zones.set(zone);
    for (const { hold, fd } of state.ports) holdings.ports.adopt({ hold, fd: take(fd) });
    for (const held of state.resolvers)
      await holdings.adoptResolver({
        ...held,
        udpFd: take(held.udpFd),
        tcpFd: take(held.tcpFd),
        namespaceFd: take(held.namespaceFd),
      });
  } finally {
    host.closeFd(pidfd);
  }
}
