import { randomBytes } from 'node:crypto';
import type { LogBatch } from '../../core/log-batch.ts';
import { nanosecondsOf } from '../spool/entry.ts';
import type { ShippedLine } from './sink.ts';

const newline = 0x0a;

interface Open {
  readonly id: string;
  readonly ordinal: number;
}

/** From entries of the log to lines for a receiver: pieces of one line get a name in common, as Docker's drivers give them. */
export class LineMaker {
  readonly #open: { stdout: Open | undefined; stderr: Open | undefined } = {
    stdout: undefined,
    stderr: undefined,
  };

  lines(batch: LogBatch): ShippedLine[] {
    return Array.from({ length: batch.count }, (_, index) => this.#line(batch, index));
  }

  #line(batch: LogBatch, index: number): ShippedLine {
    const stream = batch.fromStderr(index) ? 'stderr' : 'stdout';
    const [start, stop] = [batch.start(index), batch.stop(index)];
    const isLast = stop > start && batch.bytes[stop - 1] === newline;
    const time = batch.time(index);
    return {
      stream,
      text: batch.bytes.subarray(start, isLast ? stop - 1 : stop),
      time,
      timeNano: nanosecondsOf(time) ?? 0n,
      part: this.#part(stream, isLast),
    };
  }

  #part(stream: 'stdout' | 'stderr', isLast: boolean): ShippedLine['part'] {
    const before = this.#open[stream];
    if (before === undefined && isLast) return undefined;
    const { id, ordinal } = before ?? { id: randomBytes(32).toString('hex'), ordinal: 1 };
    this.#open[stream] = isLast ? undefined : { id, ordinal: ordinal + 1 };
    return { id, ordinal, isLast };
  }
}
