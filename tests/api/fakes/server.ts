/** A real API server on a unix socket in a folder of its own, over fake services. */

import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createApiServer, type ApiOptions, type ApiServer } from '../../../src/api/index.ts';
import { silentLogger } from '../../../src/core/log.ts';
import { fakeServices } from './services.ts';

export interface TestServer {
  readonly api: ApiServer;
  readonly folder: string;
  readonly socket: string;
  request(method: string, path: string, options?: RequestOptions): Promise<Answer>;
  /** A raw connection. */
  connect(): Socket;
}

export interface RequestOptions {
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: unknown;
}

function send(socket: string, method: string, path: string, options: RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const json = options.body === undefined ? {} : { 'Content-Type': 'application/json' };
    const client = httpRequest(
      { socketPath: socket, method, path, agent: false, headers: { ...json, ...options.headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            get json(): unknown {
              return text === '' ? undefined : JSON.parse(text);
            },
          });
        });
      },
    );
    client.on('error', reject);
    client.end(options.body);
  });
}

export async function startServer(
  context: TestContext,
  given: Parameters<typeof fakeServices>[0] = {},
  options: Pick<ApiOptions, 'unreadOutput'> = {},
): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'slip-api-'));
  const socket = join(folder, 'api.sock');
  const api = createApiServer(fakeServices(given), {
    version: '0.0.1',
    log: silentLogger,
    ...options,
  });
  await api.listen({ type: 'unix', path: socket });
  context.after(async () => {
    await api.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    api,
    folder,
    socket,
    request: (method, path, options = {}) => send(socket, method, path, options),
    connect: () => connect({ path: socket, allowHalfOpen: true }),
  };
}

/** Everything that arrives until the other side ends, or until `enough` is satisfied. */
export function collect(socket: Socket, enough?: (text: string) => boolean): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let data = Buffer.alloc(0);
    const done = (): void => {
      socket.off('data', onData).off('end', done).off('close', done).off('error', reject);
      resolve(data);
    };
    const onData = (chunk: Buffer): void => {
      data = Buffer.concat([data, chunk]);
      if (enough?.(data.toString('latin1')) === true) done();
    };
    socket.on('data', onData).on('end', done).on('close', done).on('error', reject);
  });
}
