/** Sockets that the API listens on: unix, TCP, and TCP with TLS and client certificates. */

import { chmodSync, chownSync, rmSync, statSync, unlinkSync, mkdirSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Dispatcher } from './server.ts';
import { inspectFirstPacket } from './streams/first-packet.ts';

export interface TlsOptions {
  /** PEM. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** When given, clients must show a certificate of this authority. */
  readonly clientCa?: string | Buffer;
}

export type ListenerSpec =
  | {
      readonly type: 'unix';
      readonly path: string;
      /** Group that may connect beside root; undefined leaves it to root alone. */
      readonly gid?: number;
    }
  | { readonly type: 'tcp'; readonly host: string; readonly port: number; readonly tls?: TlsOptions }
  | { readonly type: 'fd'; readonly fd: number };

export interface OpenListener {
  readonly server: HttpServer;
  /** `unix:///run/slipway.sock`, `tcp://127.0.0.1:2376` with the port that was bound. */
  readonly address: string;
  close(): Promise<void>;
}

/** As dockerd: a client may connect ahead of its first request. */
const headTimeoutMs = 300_000;
/** As Go's server: X-Registry-Config of a build may be long. */
const maximumHeaderBytes = 1024 * 1024;

const httpOptions = {
  maxHeaderSize: maximumHeaderBytes,
  headersTimeout: headTimeoutMs,
  // Uploads, and streams that a client feeds for hours, have no total time.
  requestTimeout: 0,
  keepAliveTimeout: 0,
  noDelay: true,
  keepAlive: true,
  allowHalfOpen: true,
} as const;

/** Puts the look at the first packet in front of Node's own handling of connections. */
function guardConnections(server: HttpServer, event: 'connection' | 'secureConnection'): void {
  const serve = server.listeners(event) as ((socket: Socket) => void)[];
  server.removeAllListeners(event);
  server.on(event, (socket: Socket) => {
    inspectFirstPacket(socket, headTimeoutMs, (ready) => {
      for (const listener of serve) listener.call(server, ready);
    });
  });
}

function createServer(dispatcher: Dispatcher, tls: TlsOptions | undefined): HttpServer {
  const options = { ...httpOptions, shouldUpgradeCallback: dispatcher.acceptsUpgrade };
  const server =
    tls === undefined
      ? createHttpServer(options)
      : createHttpsServer({
          ...options,
          cert: tls.cert,
          key: tls.key,
          minVersion: 'TLSv1.2',
          ...(tls.clientCa === undefined
            ? {}
            : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
        });
  guardConnections(server, tls === undefined ? 'connection' : 'secureConnection');
  server.on('request', dispatcher.onRequest);
  server.on('upgrade', dispatcher.onUpgrade);
  server.on('clientError', answerClientError);
  return server;
}

function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.writable && error.code !== 'ECONNRESET') {
    const status =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? '431 Request Header Fields Too Large'
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? '408 Request Timeout'
          : '400 Bad Request';
    socket.end(
      `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${status}`,
    );
  }
  socket.on('error', () => {});
  setTimeout(() => socket.destroy(), 1000).unref();
}

function listen(server: HttpServer, where: object): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** A socket file that nobody listens on is a leftover of a killed daemon; one in use belongs to somebody. */
async function removeStaleSocket(path: string): Promise<void> {
  let isSocket: boolean;
  try {
    isSocket = statSync(path).isSocket();
  } catch {
    return;
  }
  if (!isSocket) throw new Error(`can't create unix socket ${path}: a file that is no socket is in the way`);
  const inUse = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => resolve(true));
    probe.on('error', () => resolve(false)).on('connect', () => probe.destroy());
  });
  if (inUse) throw new Error(`can't create unix socket ${path}: another process listens on it`);
  rmSync(path, { force: true });
}

async function listenUnix(server: HttpServer, path: string, gid: number | undefined): Promise<void> {
  await removeStaleSocket(path);
  mkdirSync(dirname(path), { recursive: true });
  // Nobody may connect between bind and chmod. Node binds before `listen` returns; the mask must not outlast that, because
  // other work of the daemon creates files too.
  const mask = process.umask(0o117);
  let listening: Promise<void>;
  try {
    listening = listen(server, { path });
  } finally {
    process.umask(mask);
  }
  await listening;
  if (gid !== undefined) chownSync(path, 0, gid);
  chmodSync(path, 0o660);
}

function closer(server: HttpServer, path: string | undefined): () => Promise<void> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return async () => {
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
    if (path === undefined) return;
    try {
      unlinkSync(path);
    } catch {
      // Node removes it on close.
    }
  };
}

export async function openListener(dispatcher: Dispatcher, spec: ListenerSpec): Promise<OpenListener> {
  const server = createServer(dispatcher, spec.type === 'tcp' ? spec.tls : undefined);
  const close = closer(server, spec.type === 'unix' ? spec.path : undefined);
  switch (spec.type) {
    case 'unix':
      await listenUnix(server, spec.path, spec.gid);
      return { server, close, address: `unix://${spec.path}` };
    case 'tcp': {
      await listen(server, { host: spec.host, port: spec.port });
      const bound = server.address();
      const port = typeof bound === 'object' && bound !== null ? bound.port : spec.port;
      const host = spec.host.includes(':') ? `[${spec.host}]` : spec.host;
      return { server, close, address: `tcp://${host}:${port}` };
    }
    case 'fd':
      await listen(server, { fd: spec.fd });
      return { server, close, address: `fd://${spec.fd}` };
  }
}
