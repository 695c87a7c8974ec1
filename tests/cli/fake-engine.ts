/** A small engine with fixed answers, so that the docker CLI and ours can be held side by side. No root needed. */
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { answerFor } from './fake-answers.ts';
import { frame } from './frame.ts';

export interface Seen {
  readonly method: string;
  /** Path and query without the version. */
  readonly url: string;
  readonly body: string;
}

export interface FakeEngine {
  readonly host: string;
  /** Requests since the last call. */
  take(): Seen[];
  close(): Promise<void>;
}

const withoutVersion = (url: string): string => url.replace(/^\/v\d+\.\d+/, '');

async function readBody(request: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
}

/** A terminal inside: tells each key in hex, ends at Ctrl-D. */
function serveTerminal(socket: Duplex): void {
  socket.write('ready\r\n');
  socket.on('data', (chunk: Buffer) => {
    socket.write(`<${chunk.toString('hex')}>`);
    if (chunk.includes(4)) socket.end();
  });
}

/** What an attached container says: its input back, marked, when it has one; else two lines. */
function serveStream(socket: Duplex, url: string, head: Buffer): void {
  socket.write(
    'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
  );
  socket.on('error', () => undefined);
  if (url.includes('/tty')) {
    serveTerminal(socket);
    return;
  }
  if (!url.includes('stdin=1') && !url.startsWith('/exec/stdin')) {
    socket.write(frame(1, 'out line\n'));
    socket.end(frame(2, 'err line\n'));
    return;
  }
  let text = head.toString('latin1');
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.on('end', () => socket.end(frame(1, `got ${text}`)));
}

export async function startFakeEngine(): Promise<FakeEngine> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'slip-cli-'));
  const socketPath = path.join(directory, 'engine.sock');
  let seen: Seen[] = [];
  const state = { pulled: false };
  const sockets = new Set<Duplex>();
  const server = http.createServer((request, response) => {
    void readBody(request).then((body) => {
      const url = withoutVersion(request.url ?? '');
      const method = request.method ?? '';
      seen.push({ method, url, body });
      const answer = answerFor(method, url, body, state);
      response.writeHead(answer.status, {
        'Api-Version': '1.50',
        Ostype: 'linux',
        'Content-Type': 'application/json',
        ...answer.headers,
      });
      response.end(method === 'HEAD' ? undefined : answer.body);
    });
  });
  server.on('upgrade', (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    const url = withoutVersion(request.url ?? '');
    seen.push({ method: request.method ?? '', url, body: '' });
    const refused = url.includes('/attach') && url.includes('gone');
    if (refused)
      socket.end(
        'HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 38\r\n\r\n{"message":"No such container: gone"}\n',
      );
    else serveStream(socket, url, url.startsWith('/exec') ? Buffer.alloc(0) : head);
  });
  server.on('connection', (socket: Duplex) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return {
    host: `unix://${socketPath}`,
    take: () => {
      const all = seen;
      seen = [];
      state.pulled = false;
      return all;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      fs.rmSync(directory, { recursive: true, force: true });
    },
  };
}
