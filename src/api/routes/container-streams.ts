/** The streams of containers: attach (hijacked and WebSocket), logs, stats, archives. */

import { invalid } from '../../core/errors.ts';
import type { AttachInput, AttachSession, PathStat } from '../../services/containers/index.ts';
import { uploadOf } from '../body.ts';
import { encodeStats } from '../encode/stats.ts';
import { parseTimestamp } from '../encode/time.ts';
import type { Exchange } from '../exchange.ts';
import type { ApiServices } from '../services.ts';
import { closeGently, joinStreams, readInput, type ClientEnd } from '../streams/attach.ts';
import { parseDetachKeys } from '../streams/detach-keys.ts';
import { drained, stderrStream, writePiece } from '../streams/frames.ts';
import { writeLog } from '../streams/log-frames.ts';
import { sendStream } from '../streams/send.ts';
import { acceptKey, WebSocketStream } from '../streams/websocket.ts';
import { namesLogStreams, namesMultiplexedStreams } from '../versions.ts';
import type { Routes } from './route.ts';

export const rawStream = 'application/vnd.docker.raw-stream';
export const multiplexedStream = 'application/vnd.docker.multiplexed-stream';

function attachInput(exchange: Exchange): AttachInput {
  const { query } = exchange;
  return {
    stdin: query.bool('stdin'),
    stdout: query.bool('stdout'),
    stderr: query.bool('stderr'),
    logs: query.bool('logs'),
    stream: query.bool('stream'),
  };
}

/** Backlog, then live streams, until the output is complete or the client is gone. */
async function serveSession(session: AttachSession, client: ClientEnd): Promise<void> {
  const input = readInput(client, () => session.detach());
  try {
    if (session.backlog !== undefined) {
      await client.headRead;
      const framed = client.multiplexed;
      await writeLog(session.backlog, client.socket, { framed, timestamps: false, details: false });
    }
    const attachment = await session.live;
    if (attachment !== undefined) await joinStreams(client, input, attachment);
  } finally {
    session.detach();
    closeGently(client.socket);
  }
}

async function attach(services: ApiServices, exchange: Exchange): Promise<void> {
  // dockerode repeats the query as a body.
  await exchange.skipBody();
  const keys = parseDetachKeys(exchange.query.string('detachKeys'));
  const session = await services.containers.attach(exchange.ctx, exchange.name, attachInput(exchange));
  const multiplexed = !session.tty;
  const named = multiplexed && namesMultiplexedStreams(exchange.version);
  const { socket, head, headRead } = exchange.hijack(named ? multiplexedStream : rawStream);
  const detachKeys = session.tty ? keys : undefined;
  await serveSession(session, { socket, head, multiplexed, detachKeys, headRead });
}

async function attachWebSocket(services: ApiServices, exchange: Exchange): Promise<void> {
  const key = exchange.header('sec-websocket-key');
  const keys = parseDetachKeys(exchange.query.string('detachKeys'));
  const session = await services.containers.attach(exchange.ctx, exchange.name, {
    ...attachInput(exchange),
    // The protocol carries one stream: everything is in it.
    stdin: true,
    stdout: true,
    stderr: true,
  });
  if (!exchange.upgraded || key === undefined) {
    session.detach();
    throw invalid('not websocket protocol');
  }
  const { socket, head, headRead } = exchange.hijackWebSocket(acceptKey(key));
  const stream = new WebSocketStream(socket, head);
  await serveSession(session, {
    socket: stream,
    head: Buffer.alloc(0),
    multiplexed: false,
    headRead,
    detachKeys: session.tty ? keys : undefined,
  });
}

function tailOf(text: string): number | undefined {
  if (text === '' || text === 'all') return undefined;
  const lines = Number(text);
  // Docker takes what is no number, or a negative one, for all.
  return Number.isInteger(lines) && lines >= 0 ? lines : undefined;
}

async function logs(services: ApiServices, exchange: Exchange<'ContainerLogs'>): Promise<void> {
  const { query, version } = exchange;
  const [stdout, stderr] = [query.bool('stdout'), query.bool('stderr')];
  if (!stdout && !stderr) throw invalid('Bad parameters: you must choose at least one stream');
  const result = await services.containers.logs(exchange.clientCtx, exchange.name, {
    stdout,
    stderr,
    follow: query.bool('follow'),
    tail: tailOf(query.string('tail')),
    sinceNano: zeroIsNone(parseTimestamp(query.optional('since'))),
    untilNano: zeroIsNone(parseTimestamp(query.optional('until'))),
  });
  const type = result.tty ? rawStream : multiplexedStream;
  const response = exchange.stream(200, namesLogStreams(version) ? type : 'application/octet-stream');
  const options = {
    framed: !result.tty,
    timestamps: query.bool('timestamps'),
    details: query.bool('details'),
  };
  try {
    await writeLog(result.entries, response, options);
  } catch (error) {
    if (exchange.clientCtx.signal.aborted) return;
    // As dockerd: the reader gets to see why the log ends.
    writePiece(
      response,
      options.framed ? stderrStream : undefined,
      Buffer.from(`Error grabbing logs: ${String(error)}\n`),
    );
  }
  response.end();
}

/** Clients send `since=0` for "from the beginning" and `until=0` for "no end". */
function zeroIsNone(nano: bigint | undefined): bigint | undefined {
  return nano === 0n ? undefined : nano;
}

async function stats(services: ApiServices, exchange: Exchange<'ContainerStats'>): Promise<void> {
  const { query } = exchange;
  const stream = query.bool('stream', true);
  const oneShot = query.bool('one-shot');
  if (stream && oneShot) throw invalid('cannot have stream=true and one-shot=true');
  const ctx = exchange.clientCtx;
  const samples = await services.containers.stats(ctx, exchange.name, { stream, oneShot });
  const response = exchange.stream(200, 'application/json');
  try {
    for await (const sample of samples) {
      if (!response.write(`${JSON.stringify(encodeStats(sample, exchange.version))}\n`))
        await drained(response);
      if (response.destroyed) return;
    }
  } catch (error) {
    if (!ctx.signal.aborted) throw error;
  }
  response.end();
}

function statHeader(stat: PathStat): string {
  const { name, size, mode, mtime, linkTarget } = stat;
  return Buffer.from(JSON.stringify({ name, size, mode, mtime, linkTarget })).toString('base64');
}

function archivePath(exchange: Exchange): string {
  const path = exchange.query.string('path');
  if (path === '') throw invalid('bad parameter: path cannot be empty');
  return path;
}

export const containerStreamRoutes: Routes<
  | 'ContainerAttach'
  | 'ContainerAttachWebsocket'
  | 'ContainerLogs'
  | 'ContainerStats'
  | 'ContainerArchive'
  | 'ContainerArchiveInfo'
  | 'PutContainerArchive'
> = {
  ContainerAttach: attach,
  ContainerAttachWebsocket: attachWebSocket,
  ContainerLogs: logs,
  ContainerStats: stats,
  ContainerArchive: async (services, exchange) => {
    const path = archivePath(exchange);
    const { stat, archive } = await services.containers.getArchive(exchange.clientCtx, exchange.name, path);
    exchange.response.setHeader('X-Docker-Container-Path-Stat', statHeader(stat));
    await sendStream(exchange, 'application/x-tar', archive);
  },
  ContainerArchiveInfo: async (services, exchange) => {
    const path = archivePath(exchange);
    const stat = await services.containers.statPath(exchange.clientCtx, exchange.name, path);
    exchange.response.setHeader('X-Docker-Container-Path-Stat', statHeader(stat));
    exchange.empty(200);
  },
  PutContainerArchive: async (services, exchange) => {
    const { query, request } = exchange;
    await services.containers.putArchive(exchange.clientCtx, exchange.name, {
      path: archivePath(exchange),
      archive: uploadOf(request),
      noOverwriteDirNonDir: query.bool('noOverwriteDirNonDir'),
      copyUIDGID: query.bool('copyUIDGID'),
    });
    exchange.empty(200);
  },
};
