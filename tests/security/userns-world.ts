/**
 * An engine with user namespaces. It needs a user with ranges of ids: it lives in a mount namespace with an /etc of its own, where it
 * makes Docker's `dockremap` itself, so that the host's accounts stay as they are.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startEngine, type Engine } from '../scenarios/engine.ts';

const script = `
set -e
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
umount -l /mnt
echo ready
exec cat
`;

export interface Remapped {
  readonly engine: Engine;
  /** Command line that runs another in the engine's mount namespace. */
  readonly inside: readonly string[];
  readonly close: () => Promise<void>;
}

export async function startRemapped(...args: string[]): Promise<Remapped> {
  // Ends with its input, also when this process is killed.
  const holder = spawn('unshare', ['--mount', 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(holder, 'exit');
  const end = async (): Promise<void> => {
    holder.stdin.end();
    await ended;
  };
  await once(holder.stdout, 'data');
  const inside = ['nsenter', `--mount=/proc/${holder.pid}/ns/mnt`];
  try {
    const engine = await startEngine({ args, launcher: inside });
    return {
      engine,
      inside,
      close: async () => {
        await engine.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}
