/** Starts slipway-net and waits until it serves. */

import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { internal } from '../../core/errors.ts';
import type { Host } from '../../core/ports/host.ts';

export type LaunchHost = Pick<Host, 'spawn' | 'waitChild' | 'socketpair' | 'closeFd'>;

/** How the program is started: an executable and its first arguments (a JavaScript runtime, its flags, the program's file). */
export interface NetProgram {
  readonly path: string;
  readonly args: readonly string[];
}

/** Descriptor on which the program says that it serves. */
const readyFd = 3;
const timeoutMs = 20_000;

/** Names the program's content, so that a changed one is recognised. */
export function buildOf(program: NetProgram): string {
  const hash = createHash('sha256');
  for (const part of [program.path, ...program.args]) {
    // The runtime itself is large and its path names its version.
    if (part !== program.path && existsSync(part)) hash.update(readFileSync(part));
    else hash.update(part);
  }
  return hash.digest('hex').slice(0, 16);
}

/** The first line that the program writes; an error when it ends without one. */
function firstLine(fd: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = new Socket({ fd, readable: true, writable: false });
    let text = '';
    const timer = setTimeout(() => settle(''), timeoutMs);
    const settle = (line: string): void => {
      clearTimeout(timer);
      socket.destroy();
      if (line === '') reject(internal('slipway-net ended before it served'));
      else resolve(line);
    };
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\n')) settle(text.slice(0, text.indexOf('\n')));
    });
    socket.on('end', () => settle(''));
    socket.on('error', () => settle(''));
  });
}

export async function launch(
  host: LaunchHost,
  program: NetProgram,
  runRoot: string,
  build: string,
): Promise<void> {
  const [ours, theirs] = host.socketpair();
  const log = openSync(`${runRoot}/net.log`, 'a', 0o600);
  try {
    const { pid, pidfd } = await host.spawn({
      path: program.path,
      args: [program.path, ...program.args, '--run-root', runRoot, '--build', build],
      env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'UV_THREADPOOL_SIZE=1'],
      cwd: '/',
      fds: { 1: log, 2: log, [readyFd]: theirs },
      newSession: true,
    });
    host.closeFd(pidfd);
    // Its end is noticed on the connection; this only keeps it from staying a zombie.
    host.waitChild(pid).catch(() => {});
  } catch (error) {
    host.closeFd(ours);
    throw error;
  } finally {
    host.closeFd(theirs);
    closeSync(log);
  }
  const line = await firstLine(ours);
  if (line !== 'ready') throw internal(`slipway-net did not start: ${line}`);
}
