/** The main loop's end of the transfer thread, which runs while there is something to transfer. */

import type { IncomingHttpHeaders } from 'node:http';
import { Worker } from 'node:worker_threads';
import type { Ctx } from '../../core/ctx.ts';
import { internal, unavailable } from '../../core/errors.ts';
import { errorOf } from '../../core/fault.ts';
import type { Answer, Place } from '../answer.ts';
import type { HandedOn, HttpOptions, HttpRequest, Transport } from '../http.ts';
import type { FromThread, PlainRequest, ThreadData, ToThread } from './protocol.ts';

export interface TransferOptions {
  readonly http: HttpOptions;
  /** Milliseconds without a request after which the thread ends; default 10,000. */
  readonly idleMs?: number;
  /** Called when it has ended and its memory is free. */
  readonly onThreadEnd?: () => void;
}

interface Call {
  readonly head: PromiseWithResolvers<FarAnswer>;
  readonly end: PromiseWithResolvers<Uint8Array | undefined>;
  readonly onSent: ((bytes: number) => void) | undefined;
  written: ((at: number, bytes: number) => void) | undefined;
  /** What the caller threw at what was written. */
  failure: { readonly error: unknown } | undefined;
  /** Lets go of the caller's signal. */
  release: () => void;
}

/** An answer whose body is on the transfer thread. */
export class FarAnswer implements Answer {
  readonly #id: number;
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly headers: IncomingHttpHeaders;
  readonly #finish: Finish;
  readonly #cancel: () => void;

  constructor(head: Extract<FromThread, { op: 'head' }>, finish: Finish, cancel: () => void) {
    this.#id = head.call;
    this.statusCode = head.statusCode;
    this.statusMessage = head.statusMessage;
    this.headers = head.headers;
    this.#finish = finish;
    this.#cancel = cancel;
  }

  async read(limit: number): Promise<Buffer> {
    const body = (await this.#finish({ op: 'read', limit })) ?? new Uint8Array();
    return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  }

  resume(): void {
    this.#finish({ op: 'resume' }).catch(() => {});
  }

  /** As `Received.save`. Settles once the thread has let go of the file. */
  async save(place: Place, written: (at: number, bytes: number) => void): Promise<void> {
    await this.#finish({ op: 'save', place }, written);
  }

  /** As the body of another request of the same thread: this answer is used up by it. It has to be of so many bytes. */
  handOn(bytes: number, onSent: (bytes: number) => void): HandedOn {
    return { answer: this.#id, bytes, onSent };
  }

  /** Breaks off what is under way; of no effect afterwards. */
  cancel(): void {
    this.#cancel();
  }
}

type Ending =
  | { readonly op: 'read'; readonly limit: number }
  | { readonly op: 'resume' }
  | { readonly op: 'save'; readonly place: Place };
type Finish = (ending: Ending, written?: Call['written']) => Promise<Uint8Array | undefined>;

function plain({ method, url, headers = {}, body, tls }: HttpRequest): PlainRequest {
  const common = { method, url: url.href, headers, tls };
  if (body === undefined || Buffer.isBuffer(body)) return { ...common, body };
  if ('answer' in body) return { ...common, body: { answer: body.answer, bytes: body.bytes } };
  if (!('file' in body)) throw internal('a stream cannot be sent by the transfer thread');
  const { file, from, to } = body;
  return { ...common, body: { file, from, to } };
}

const onSentOf = (body: HttpRequest['body']): ((bytes: number) => void) | undefined =>
  body !== undefined && 'onSent' in body ? body.onSent : undefined;

export class TransferThread implements Transport<FarAnswer> {
  readonly #options: TransferOptions;
  readonly #calls = new Map<number, Call>();
  #worker: Worker | undefined;
  #next = 1;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: TransferOptions) {
    this.#options = options;
  }

  async send(ctx: Ctx, request: HttpRequest): Promise<FarAnswer> {
    if (ctx.signal.aborted || this.#closed) throw unavailable('context canceled');
    const id = this.#next++;
    const cancel = (): void => this.#say({ call: id, op: 'cancel' });
    const call: Call = {
      head: Promise.withResolvers(),
      end: Promise.withResolvers(),
      onSent: onSentOf(request.body),
      written: undefined,
      failure: undefined,
      release: () => ctx.signal.removeEventListener('abort', cancel),
    };
    // An answer that is left alone may fail unheard.
    call.end.promise.catch(() => {});
    const message = { call: id, op: 'send', request: plain(request) } as const;
    clearTimeout(this.#idle);
    this.#calls.set(id, call);
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#say(message);
    ctx.signal.addEventListener('abort', cancel, { once: true });
    return await call.head.promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idle);
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const { http, onThreadEnd } = this.#options;
    const workerData: ThreadData = { http };
    const worker = new Worker(new URL('./transfer-worker.ts', import.meta.url), {
      // As storage's threads: Node's list of descriptors would close some that are somebody else's by then.
      trackUnmanagedFds: false,
      workerData,
      name: 'transfer',
      resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 256 },
    });
    const gone = (error: Error): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      for (const id of this.#calls.keys()) this.#failed(id, error);
    };
    worker.on('message', (message: FromThread) => this.#receive(message));
    worker.on('error', (error) => gone(unavailable(`transfer thread: ${String(error)}`, error)));
    worker.on('exit', () => {
      gone(unavailable('transfer thread ended'));
      onThreadEnd?.();
    });
    return worker;
  }

  #say(message: ToThread): void {
    this.#worker?.postMessage(message);
  }

  #finish(id: number, ending: Ending, written?: Call['written']): Promise<Uint8Array | undefined> {
    const call = this.#calls.get(id);
    if (call === undefined) return Promise.reject(unavailable('context canceled'));
    call.written = written;
    this.#say({ call: id, ...ending });
    return call.end.promise;
  }

  #receive(message: FromThread): void {
    const id = message.call;
    const call = this.#calls.get(id);
    if (call === undefined) return;
    if (message.op === 'written') this.#written(id, call, message);
    else if (message.op === 'sent') call.onSent?.(message.bytes);
    else if (message.op === 'head') {
      const finish: Finish = (ending, written) => this.#finish(id, ending, written);
      call.head.resolve(new FarAnswer(message, finish, () => this.#say({ call: id, op: 'cancel' })));
    } else if (message.op === 'done') {
      this.#settled(id, call);
      if (call.failure === undefined) call.end.resolve(message.body);
      else call.end.reject(call.failure.error);
    } else this.#failed(id, errorOf(message.fault));
  }

  /** What the caller throws at it ends the call, once the thread has let go of the file. */
  #written(id: number, call: Call, { at, bytes }: { readonly at: number; readonly bytes: number }): void {
    try {
      call.written?.(at, bytes);
    } catch (error) {
      call.written = undefined;
      call.failure = { error };
      this.#say({ call: id, op: 'cancel' });
    }
  }

  #failed(id: number, error: Error): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#settled(id, call);
    call.head.reject(error);
    call.end.reject(call.failure === undefined ? error : call.failure.error);
  }

  #settled(id: number, call: Call): void {
    call.release();
    this.#calls.delete(id);
    if (this.#calls.size > 0 || this.#worker === undefined) return;
    const worker = this.#worker;
    worker.unref();
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.#worker !== worker || this.#calls.size > 0) return;
      this.#worker = undefined;
      void worker.terminate();
    }, this.#options.idleMs ?? 10_000).unref();
  }
}
