/** Sending an archive as a body. */

import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Exchange } from '../exchange.ts';

/** Copies the stream to the client. A failure on the way cuts the connection, so that nobody takes half for the whole. */
export async function sendStream(exchange: Exchange, contentType: string, source: Readable): Promise<void> {
  const response = exchange.stream(200, contentType);
  try {
    await pipeline(source, response);
  } catch (error) {
    if (!response.destroyed) response.destroy();
    exchange.ctx.log.debug('sending a stream ended early', { error });
  }
}
