/** Serves the daemon's requests on the unix socket; one line in, one line out, in order of arrival on each connection. */

import { createServer, type Server, type Socket } from 'node:net';
import { renameSync, rmSync } from 'node:fs';
import { invalid, toSlipwayError, unavailable } from '../core/errors.ts';
import {
  LineReader,
  netdProtocol,
  socketPath,
  type NetdOperation,
  type NetdReplies,
  type NetdReply,
  type NetdRequest,
  type NetdRequests,
} from '../core/netd-protocol.ts';
import type { Holdings } from './state.ts';

export interface ServerDeps {
  readonly holdings: Holdings;
  readonly runRoot: string;
  readonly pid: number;
  readonly build: string;
  /** Ends the process after the reply: at once, or when a successor has taken over. */
  readonly quit: (how: 'shutdown' | 'yield') => void;
}

type Handlers = {
  readonly [K in NetdOperation]: (input: NetdRequests[K]) => NetdReplies[K] | Promise<NetdReplies[K]>;
};

const done = {};

function handlers({ holdings, pid, build, quit }: ServerDeps): Handlers {
  return {
    hello({ protocol }) {
      if (protocol !== netdProtocol)
        throw unavailable(`slipway-net speaks protocol ${netdProtocol}, not ${protocol}`);
      return { protocol: netdProtocol, build, pid };
    },
    async attachResolver({ namespacePath, config }) {
      await holdings.attachResolver(namespacePath, config);
      return done;
    },
    updateResolver({ config }) {
      holdings.updateResolver(config);
      return done;
    },
    async detachResolver({ containerId }) {
      await holdings.detachResolver(containerId);
      return done;
    },
    setZone({ zone }) {
      holdings.zones.set(zone);
      holdings.save();
      return done;
    },
    async holdPorts({ ports }) {
      await holdings.ports.hold(ports);
      holdings.save();
      return done;
    },
    releasePorts({ containerId, ports }) {
      holdings.ports.release(containerId, ports);
      holdings.save();
      return done;
    },
    list: () => ({
      resolvers: holdings.resolverIds(),
      zones: holdings.zones.all().map((zone) => zone.networkId),
      ports: holdings.ports.all().map(({ hold }) => hold),
    }),
    lookups: () => holdings.lookups(),
    stats: () => ({ pid, rssBytes: process.memoryUsage.rss(), version: `${netdProtocol}.${build}` }),
    handover: () => holdings.state(),
    yield() {
      quit('yield');
      return done;
    },
    shutdown() {
      quit('shutdown');
      return done;
    },
  };
}

async function answer(table: Handlers, request: NetdRequest): Promise<NetdReply> {
  try {
    if (!Object.hasOwn(table, request.op)) throw invalid(`unknown operation ${JSON.stringify(request.op)}`);
    const handler = table[request.op] as (input: unknown) => unknown;
    return { id: request.id, result: await handler(request.input) };
  } catch (error) {
    const { kind, message } = toSlipwayError(error);
    return { id: request.id, error: { kind, message } };
  }
}

function serveConnection(table: Handlers, socket: Socket): void {
  const reader = new LineReader();
  socket.setEncoding('utf8');
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: string) => {
    try {
      for (const line of reader.push(chunk)) {
        const request = JSON.parse(line) as NetdRequest;
        void answer(table, request).then((reply) => socket.write(`${JSON.stringify(reply)}\n`));
      }
    } catch {
      // Not our protocol.
      socket.destroy();
    }
  });
}

/** Resolves when the socket is there. It is renamed into place: a predecessor's name leads to us from one moment to the next. */
export async function serve(deps: ServerDeps): Promise<Server> {
  const table = handlers(deps);
  const path = socketPath(deps.runRoot);
  const temporary = `${path}.${deps.pid}`;
  rmSync(temporary, { force: true });
  const server = createServer((socket) => serveConnection(table, socket));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path: temporary, readableAll: false, writableAll: false }, resolve);
  });
  renameSync(temporary, path);
  return server;
}
