/** `--sig-proxy`: signals to the CLI go on to the container's process. */
import type { Client } from '../../client/index.ts';
import type { Io } from '../io.ts';

const FORWARDED: readonly NodeJS.Signals[] = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR1',
  'SIGUSR2',
  'SIGCONT',
  'SIGALRM',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
];

/** Forwards from now on; answers how to stop. A container that is gone by then needs no signal. */
export function forwardSignals(io: Io, client: Client, id: string): () => void {
  return io.onSignals(FORWARDED, (signal) => {
    client.containers.kill(id, signal.replace(/^SIG/, '')).catch(() => undefined);
  });
}
