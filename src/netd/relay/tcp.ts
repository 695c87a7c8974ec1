/** Carries connections that the firewall's map cannot lead to the container: `[::1]`, and IPv6 to a container without. */

import { connect, createServer, type Server, type Socket } from 'node:net';

export interface Relay {
  /** Accepts no more. */
  stop(): void;
  /** Resolves when the last connection or flow has ended. */
  ended(): Promise<void>;
  close(): void;
}

export interface RelayTarget {
  readonly address: string;
  readonly port: number;
}

function join(near: Socket, target: RelayTarget, open: Set<Socket>, gone: () => void): void {
  const far = connect({ host: target.address, port: target.port, allowHalfOpen: true });
  open.add(near);
  const end = (): void => {
    near.destroy();
    far.destroy();
    if (open.delete(near)) gone();
  };
  near.on('error', end);
  far.on('error', end);
  let closed = 0;
  const half = (): void => {
    closed++;
    if (closed === 2) end();
  };
  near.on('close', half);
  far.on('close', half);
  near.pipe(far);
  far.pipe(near);
}

/** Serves a listening descriptor, which it takes over. */
export function relayTcp(fd: number, target: RelayTarget): Relay {
  const open = new Set<Socket>();
  let waiting: (() => void) | undefined;
  const gone = (): void => {
    if (open.size === 0) waiting?.();
  };
  const server: Server = createServer({ allowHalfOpen: true }, (near) => join(near, target, open, gone));
  server.on('error', () => {});
  server.listen({ fd });
  return {
    stop() {
      server.close();
    },
    async ended() {
      if (open.size > 0) await new Promise<void>((resolve) => (waiting = resolve));
    },
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
