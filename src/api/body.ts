/** Reading a request's body with limits on its size and on its pace. */

import type { IncomingMessage } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import { invalid, SlipwayError } from '../core/errors.ts';

/** A JSON body: an image's whole environment and a swarm config of 1 MB fit; parsing this much takes some 20 ms. */
const maximumBytes = 4 * 1024 * 1024;
const silenceMs = 30_000;

export class BodyTooLarge extends SlipwayError {
  constructor() {
    super('invalid', `request body too large: at most ${maximumBytes} bytes of JSON are taken`);
  }
}

/** The whole body as text. Fails with `BodyTooLarge`, and with `invalid` when the client stalls or goes away. */
export function readText(request: IncomingMessage): Promise<string> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maximumBytes) return Promise.reject(new BodyTooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const silence = setTimeout(() => fail(invalid('timed out while reading request body')), silenceMs);
    const done = (): void => {
      clearTimeout(silence);
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
    };
    const fail = (error: Error): void => {
      done();
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > maximumBytes) return fail(new BodyTooLarge());
      chunks.push(chunk);
      silence.refresh();
    };
    const onEnd = (): void => {
      done();
      resolve((chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)).toString('utf8'));
    };
    const onClose = (): void => fail(invalid('unexpected EOF'));
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

/**
 * The body as a stream that a service may destroy when it has seen enough: the connection lives on for the answer. Fails when
 * the client leaves in the middle.
 */
export function uploadOf(request: IncomingMessage): Readable {
  const upload = new PassThrough({ highWaterMark: 256 * 1024 });
  request.pipe(upload);
  request.on('close', () => {
    if (!request.complete) upload.destroy(invalid('unexpected EOF'));
  });
  upload.on('close', () => {
    request.unpipe(upload);
    request.resume();
  });
  // Whoever reads it gets its errors; when nobody does, they end here.
  upload.on('error', () => {});
  return upload;
}

/** Whether a body was announced at all. */
export function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/** Refuses a body that is not declared as JSON, with dockerd's words. */
export function requireJson(request: IncomingMessage): void {
  const declared = request.headers['content-type'];
  if (declared === undefined || declared === '') {
    if (!hasBody(request)) return;
    throw invalid('malformed Content-Type header (): mime: no media type');
  }
  const media = (declared.split(';', 1)[0] ?? '').trim().toLowerCase();
  if (media === 'application/json') return;
  if (!/^[\w!#$&^.+-]+(\/[\w!#$&^.+-]+)?$/.test(media)) {
    throw invalid(`malformed Content-Type header (${declared}): mime: expected token after slash`);
  }
  throw invalid(`unsupported Content-Type header (${declared}): must be 'application/json'`);
}
