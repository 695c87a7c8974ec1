/** Keeps a container's terminal as large as the user's. */
import type { Io } from '../io.ts';

export interface Size {
  readonly rows: number;
  readonly columns: number;
}

/** Sends the size now and at each change; answers how to stop. Failures do not matter: the next change tries again. */
export function followSize(io: Io, resize: (size: Size) => Promise<void>): () => void {
  if (!io.stdout.isTerminal) return () => undefined;
  const send = (): void => {
    const { rows, columns } = io.stdout.size();
    if (rows > 0 && columns > 0) resize({ rows, columns }).catch(() => undefined);
  };
  send();
  return io.onSignals(['SIGWINCH'], send);
}
