/** Log batches on the wire: framed in place where the lines go out as they are, rewritten where something stands before each line. */
import type { Writable } from 'node:stream';
import { headroom, type LogBatch } from '../../core/log-batch.ts';
import { fixedNanoseconds } from '../encode/time.ts';
import { drained } from './frames.ts';

export interface LogRendering {
  /** Docker's frames; else plain bytes, for terminals. */
  readonly framed: boolean;
  readonly timestamps: boolean;
  readonly details: boolean;
}

/** Bytes that may wait in a client's socket while the next lines are read. */
const inFlight = 512 * 1024;

function putHeader(bytes: Buffer, at: number, fromStderr: boolean, length: number): void {
  bytes[at] = fromStderr ? 2 : 1;
  bytes[at + 1] = 0;
  bytes[at + 2] = 0;
  bytes[at + 3] = 0;
  bytes[at + 4] = length >>> 24;
  bytes[at + 5] = length >>> 16;
  bytes[at + 6] = length >>> 8;
  bytes[at + 7] = length;
}

/** The lines lie one behind the other with room for a header before each: nothing is copied. */
function frameInPlace(batch: LogBatch): Buffer {
  for (let index = 0; index < batch.count; index += 1) {
    const start = batch.start(index);
    putHeader(batch.bytes, start - headroom, batch.fromStderr(index), batch.stop(index) - start);
  }
  return batch.bytes.subarray(0, batch.used);
}

function closeUp(batch: LogBatch): Buffer {
  let end = 0;
  for (let index = 0; index < batch.count; index += 1) {
    batch.bytes.copyWithin(end, batch.start(index), batch.stop(index));
    end += batch.stop(index) - batch.start(index);
  }
  return batch.bytes.subarray(0, end);
}

function prefixOf(batch: LogBatch, index: number, rendering: LogRendering): string {
  let prefix = rendering.timestamps ? `${fixedNanoseconds(batch.time(index))} ` : '';
  if (rendering.details) {
    const attributes = Object.entries(batch.attributes(index) ?? {}).map(
      ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
    );
    prefix += `${attributes.sort().join(',')} `;
  }
  return prefix;
}

function withPrefixes(batch: LogBatch, rendering: LogRendering): Buffer {
  const prefixes = Array.from({ length: batch.count }, (_, index) => prefixOf(batch, index, rendering));
  const bytes = Buffer.allocUnsafe(prefixes.reduce((sum, prefix) => sum + prefix.length, batch.used));
  let end = 0;
  prefixes.forEach((prefix, index) => {
    const [start, stop] = [batch.start(index), batch.stop(index)];
    if (rendering.framed) {
      putHeader(bytes, end, batch.fromStderr(index), prefix.length + stop - start);
      end += headroom;
    }
    end += bytes.write(prefix, end, 'latin1');
    end += batch.bytes.copy(bytes, end, start, stop);
  });
  return bytes.subarray(0, end);
}

export function renderBatch(batch: LogBatch, rendering: LogRendering): Buffer {
  if (rendering.timestamps || rendering.details) return withPrefixes(batch, rendering);
  return rendering.framed ? frameInPlace(batch) : closeUp(batch);
}

/** Writes a log; waits for a slow sink. */
export async function writeLog(
  batches: AsyncIterable<LogBatch>,
  sink: Writable,
  rendering: LogRendering,
): Promise<void> {
  for await (const batch of batches) {
    if (sink.destroyed) return;
    const bytes = renderBatch(batch, rendering);
    if (bytes.length > 0) sink.write(bytes);
    if (sink.writableLength > inFlight) await drained(sink);
  }
}
