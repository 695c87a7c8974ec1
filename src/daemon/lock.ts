import { closeSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { createHash } from 'node:crypto';
import { conflict } from '../core/errors.ts';
import { realpathSync } from 'node:fs';

export interface Lock {
  release(): void;
}

/**
 * Makes sure that one daemon alone works on a data root. The lock is an abstract unix socket named after the directory:
 * the kernel drops it with the process, however that ends, so nothing stale can ever be in the way.
 */
export async function lockDataRoot(dataRoot: string): Promise<Lock> {
  const real = realpathSync(dataRoot);
  const name = createHash('sha256').update(real).digest('hex').slice(0, 32);
  const server: Server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? conflict(
              `another slipwayd already works on ${real}; end it, or give this one its own --data-root`,
              error,
            )
          : error,
      );
    });
    server.listen(`\0slipway-data-root-${name}`, resolve);
  });
  server.unref();
  return { release: () => void server.close() };
}

/** Writes our process id; the file is taken away again at a graceful end, if it is still ours. */
export function writePidFile(path: string): () => void {
  const fd = openSync(path, 'w', 0o644);
  writeSync(fd, `${process.pid}\n`);
  closeSync(fd);
  return () => {
    try {
      if (readFileSync(path, 'utf8').trim() === String(process.pid)) unlinkSync(path);
    } catch {
      // Gone already.
    }
  };
}
