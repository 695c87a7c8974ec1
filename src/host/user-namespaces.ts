/**
 * User namespaces for containers, each with a network namespace that belongs to it. A small process makes them (a process with
 * threads may not), the daemon writes the maps and holds both by descriptors until a container's processes do.
 */

import { openSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { internal, unavailable } from '../core/errors.ts';
import { formatIdMap } from '../core/model/id-mapping.ts';
import type { Host, UserNamespace, UserNamespaceRequest } from '../core/ports/host.ts';
import { closeQuietly } from './ffi/kernel-error.ts';

type Deps = Pick<Host, 'spawn' | 'waitChild' | 'socketpair'>;

const patienceMs = 20_000;

/** Resolves with what the program says first: one byte, or why it could not. */
function firstWord(socket: Socket): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const timer = setTimeout(
    () => reject(unavailable('no user namespace: its program does not answer')),
    patienceMs,
  );
  socket.once('data', (data: Buffer) => resolve(data.toString()));
  socket.once('error', reject);
  socket.once('close', () => resolve('it ended at once'));
  return promise.finally(() => clearTimeout(timer));
}

function openNamespaces(pid: number): UserNamespace {
  const held: number[] = [];
  const open = (kind: string): { fd: number; path: string } => {
    const fd = openSync(`/proc/${pid}/ns/${kind}`, 'r');
    held.push(fd);
    return { fd, path: `/proc/${process.pid}/fd/${fd}` };
  };
  try {
    return { user: open('user'), network: open('net') };
  } catch (error) {
    for (const fd of held) closeQuietly(fd);
    throw error;
  }
}

/** `program` is slipway-shim. Rejects with `internal` where the kernel allows no (further) user namespace. */
export async function createUserNamespace(
  deps: Deps,
  program: string,
  request: UserNamespaceRequest,
): Promise<UserNamespace> {
  const [ours, theirs] = deps.socketpair();
  const socket = new Socket({ fd: ours, readable: true, writable: true });
  let child;
  try {
    const args = ['slipway-shim', '--namespaces', ...('join' in request ? [request.join] : [])];
    child = await deps.spawn({ path: program, args, env: [], fds: { 3: theirs } });
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    closeQuietly(theirs);
  }
  try {
    const word = await firstWord(socket);
    if (word !== 'y') throw internal(`the kernel makes no user namespace: ${word}`);
    if (!('join' in request)) {
      writeFileSync(`/proc/${child.pid}/uid_map`, formatIdMap(request.uids));
      writeFileSync(`/proc/${child.pid}/gid_map`, formatIdMap(request.gids));
    }
    return openNamespaces(child.pid);
  } finally {
    // It ends when it reads that nobody is left.
    socket.destroy();
    void deps.waitChild(child.pid).finally(() => closeQuietly(child.pidfd));
  }
}
