/** Small HTTP servers on the loopback device that play registries, token servers, storage and proxies. */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRegistry, type RegistryClient } from '../../src/registry/index.ts';

export const sha = (data: Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;

export interface Served {
  /** `http://127.0.0.1:PORT`. */
  readonly base: string;
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly server: Server;
}

export async function serve(listener: RequestListener): Promise<Served> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { base: `http://${host}`, host, server };
}

export function stop(...servers: Server[]): void {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
}

export type Answer = (message: IncomingMessage, answer: ServerResponse) => void;
export type RegistryOptions = NonNullable<Parameters<typeof createRegistry>[0]>;

/** Runs `body` with a registry whose server answers as `answer` says. */
export async function against(
  answer: Answer,
  body: (
    registry: RegistryClient,
    repository: { readonly domain: string; readonly path: string },
    base: string,
  ) => Promise<void>,
  options: RegistryOptions = {},
): Promise<void> {
  const served = await serve(answer);
  const registry = createRegistry({ retryDelayMs: 1, ...options });
  try {
    await body(registry, { domain: served.host, path: 'team/app' }, served.base);
  } finally {
    await registry.close();
    stop(served.server);
  }
}
