/** The client of slipway-net against a process that dies as a killed one does: its sockets close one after another. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, Socket, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { backgroundCtx } from '#src/core/ctx.ts';
import { silentLogger } from '#src/core/log.ts';
import { LineReader, socketPath, type NetdRequest } from '#src/core/netd-protocol.ts';
import { createLightHost } from '#src/host/index.ts';
import { createNetHelper } from '#src/network/index.ts';

interface FakeProcess {
  readonly server: Server;
  readonly connections: Set<Socket>;
  /** Takes connections and drops them, as a process does whose listening socket is closed last. */
  dying: boolean;
}

function startProcess(path: string, build: string, ready: () => void): FakeProcess {
  rmSync(path, { force: true });
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    if (fake.dying) {
      socket.destroy();
      return;
    }
    connections.add(socket);
    const reader = new LineReader();
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    socket.on('data', (chunk: string) => {
      for (const line of reader.push(chunk)) {
        const { id } = JSON.parse(line) as NetdRequest;
        socket.write(`${JSON.stringify({ id, result: { protocol: 1, build, pid: 1 } })}\n`);
      }
    });
  });
  const fake: FakeProcess = { server, connections, dying: false };
  server.listen(path, ready);
  return fake;
}

test(
  'a process that takes one more connection while it dies is restarted and announced',
  { timeout: 60_000 },
  async () => {
    const runRoot = mkdtempSync(join(tmpdir(), 'slip-'));
    const path = socketPath(runRoot);
    const light = createLightHost();
    const started: FakeProcess[] = [];
    const client = createNetHelper({
      runRoot,
      program: { path: process.execPath, args: [] },
      log: silentLogger,
      host: {
        socketpair: () => light.socketpair(),
        closeFd: (fd) => light.closeFd(fd),
        waitChild: () => Promise.resolve(0),
        async spawn({ args, fds }) {
          const ready = light.duplicateFd(light.openPidfd(process.pid), fds[3] ?? -1);
          const last = started.at(-1);
          if (last !== undefined) await new Promise((closed) => last.server.close(closed));
          started.push(
            startProcess(path, args.at(-1) ?? '', () => {
              const socket = new Socket({ fd: ready });
              socket.end('ready\n');
            }),
          );
          return { pid: process.pid, pidfd: -1 };
        },
      },
    });
    try {
      await client.ensureRunning(backgroundCtx(silentLogger));
      const announced = new Promise<void>((resolve) => client.onRestart(resolve));
      const [first] = started;
      assert.ok(first);
      first.dying = true;
      for (const socket of first.connections) socket.destroy();
      await announced;
      assert.equal(started.length, 2);
    } finally {
      client.close();
      for (const { server, connections } of started) {
        for (const socket of connections) socket.destroy();
        server.close();
      }
      await light.close();
      rmSync(runRoot, { recursive: true, force: true });
    }
  },
);
