/**
 * The thread through which blobs travel: TLS, HTTP and files, so that the main loop only decides what is sent where, and
 * hears of it now and then.
 */

import { Readable } from 'node:stream';
import { parentPort, workerData } from 'node:worker_threads';
import { unavailable } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { faultOf } from '../../core/fault.ts';
import { giveWay } from '../../core/give-way.ts';
import type { Received } from '../answer.ts';
import { HttpClient, type Body, type TlsOptions } from '../http.ts';
import type { FromThread, PlainRequest, ThreadData, ToThread } from './protocol.ts';

const port = parentPort;
if (port === null) throw new Error('transfer-worker runs as a worker thread');
const data = workerData as ThreadData;
const http = new HttpClient(data.http);
const say = (message: FromThread): void => port.postMessage(message);

/** Milliseconds between reports of what has gone. */
const reportMs = 100;

interface Call {
  readonly stop: AbortController;
  answer?: Received;
  /** Whether something is under way that ends the call by itself. */
  busy: boolean;
}
const calls = new Map<number, Call>();

function tlsOf({ verify, ca, cert, key }: PlainRequest['tls']): TlsOptions {
  return {
    verify,
    ...(ca !== undefined && { ca: ca.map((each) => Buffer.from(each)) }),
    ...(cert !== undefined && { cert: Buffer.from(cert) }),
    ...(key !== undefined && { key: Buffer.from(key) }),
  };
}

/** The body of another call's answer as a stream, whose end ends that call. */
function handedOn(id: number, bytes: number, onSent: (bytes: number) => void): Readable {
  const call = calls.get(id);
  if (call?.answer === undefined || call.busy) throw unavailable('context canceled');
  const { answer } = call;
  call.busy = true;
  const stream = Readable.from(answer.exactly(bytes, onSent), { objectMode: false });
  stream.once('close', () => {
    answer.stream.destroy();
    calls.delete(id);
    say({ call: id, op: 'done' });
  });
  return stream;
}

function bodyOf(call: number, body: NonNullable<PlainRequest['body']>): Body {
  if (body instanceof Uint8Array) return Buffer.from(body);
  const all = 'answer' in body ? body.bytes : body.to - body.from;
  let last = 0;
  const onSent = (bytes: number): void => {
    const now = performance.now();
    if (now - last < reportMs && bytes < all) return;
    last = now;
    say({ call, op: 'sent', bytes });
  };
  return 'answer' in body ? handedOn(body.answer, body.bytes, onSent) : { ...body, onSent };
}

async function send(id: number, call: Call, request: PlainRequest): Promise<void> {
  const { method, url, headers, body, tls } = request;
  const ctx = { signal: call.stop.signal, log: silentLogger };
  const sent = body === undefined ? {} : { body: bodyOf(id, body) };
  let answer: Received;
  try {
    answer = await http.send(ctx, { method, url: new URL(url), headers, tls: tlsOf(tls), ...sent });
  } catch (error) {
    if (sent.body instanceof Readable) sent.body.destroy();
    throw error;
  }
  // Nobody may be reading when the line breaks: whoever does is told as well.
  answer.stream.on('error', () => {});
  if (method === 'GET') answer.hold();
  call.answer = answer;
  call.busy = false;
  const { statusCode, statusMessage } = answer;
  say({ call: id, op: 'head', statusCode, statusMessage, headers: answer.headers });
}

/** What ends a call. */
async function finish(
  id: number,
  answer: Received,
  message: Exclude<ToThread, { op: 'send' | 'cancel' }>,
): Promise<void> {
  let body: Buffer | undefined;
  if (message.op === 'resume') answer.resume();
  else if (message.op === 'read') body = await answer.read(message.limit);
  else await answer.save(message.place, (at, bytes) => say({ call: id, op: 'written', at, bytes }));
  calls.delete(id);
  say({ call: id, op: 'done', ...(body !== undefined && { body: new Uint8Array(body) }) });
}

function failed(id: number, error: unknown, place?: string): void {
  calls.delete(id);
  say({ call: id, op: 'failed', fault: faultOf(error, place) });
}

function cancel(id: number, call: Call): void {
  call.stop.abort();
  if (call.busy) return;
  calls.delete(id);
  say({ call: id, op: 'done' });
}

giveWay();

port.on('message', (message: ToThread) => {
  const id = message.call;
  const fail = (error: unknown): void => failed(id, error);
  if (message.op === 'send') {
    const call: Call = { stop: new AbortController(), busy: true };
    calls.set(id, call);
    send(id, call, message.request).catch(fail);
    return;
  }
  const call = calls.get(id);
  if (call === undefined) return;
  if (message.op === 'cancel') cancel(id, call);
  else if (call.answer !== undefined && !call.busy) {
    call.busy = true;
    const place = message.op === 'save' ? message.place.file : undefined;
    finish(id, call.answer, message).catch((error: unknown) => failed(id, error, place));
  }
});
