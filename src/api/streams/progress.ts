/** Streams of JSON messages: progress of pulls and loads, events, stats. */

import type { ServerResponse } from 'node:http';
import { toSlipwayError } from '../../core/errors.ts';
import type { Exchange } from '../exchange.ts';

interface ProgressMessage {
  readonly progressDetail?: { readonly current?: number };
}

/**
 * Runs work that reports its progress. The answer's headers go out with the first message; an error before that is an
 * ordinary error of the request, a later one travels in the stream as `errorDetail`.
 */
export async function streamProgress(
  exchange: Exchange,
  work: (onProgress: (message: object) => void) => Promise<unknown>,
): Promise<void> {
  let response: ServerResponse | undefined;
  const write = (message: object): void => {
    response ??= exchange.stream(200, 'application/json');
    if (response.destroyed || response.writableEnded) return;
    // A slow reader misses steps of a bar, never a message of its own.
    if (response.writableNeedDrain && (message as ProgressMessage).progressDetail?.current !== undefined)
      return;
    response.write(`${JSON.stringify(message)}\r\n`);
  };
  try {
    await work(write);
  } catch (error) {
    if (response === undefined) throw error;
    const { message } = toSlipwayError(error);
    write({ errorDetail: { message }, error: message });
  }
  (response ?? exchange.stream(200, 'application/json')).end();
}

/** How a sequence of JSON values is laid out, chosen by the Accept header (API 1.52). */
export function sequenceFormat(accept: string | undefined): {
  readonly contentType: string;
  readonly prefix: string;
} {
  for (const type of (accept ?? '').split(',')) {
    const media = (type.split(';', 1)[0] ?? '').trim();
    if (media === 'application/json-seq') return { contentType: media, prefix: '\u001e' };
    if (media === 'application/x-ndjson' || media === 'application/jsonl') {
      return { contentType: media, prefix: '' };
    }
  }
  return { contentType: 'application/json', prefix: '' };
}
