/** Docker's fluentd driver: the forward protocol, many records a message, each message acknowledged when that is asked for. */
import { randomBytes } from 'node:crypto';
import type { LoggedContainer } from '../../core/ports/log-driver.ts';
import { extraAttributes } from '../attributes.ts';
import type { LogOptions } from '../options/words.ts';
import type { RemoteDriver } from '../ship/remote-driver.ts';
import type { Connect, ShippedLine } from '../ship/sink.ts';
import { connectStream, StreamSink } from '../ship/stream-sink.ts';
import { tagOf } from '../tag.ts';
import { pack, type Packable, unpackAck } from './msgpack.ts';
import { fluentdOptions, parseFluentd } from './options.ts';

const nanosPerSecond = 1_000_000_000n;

interface Origin {
  readonly tag: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly subSecond: boolean;
}

function record(line: ShippedLine, { fields, subSecond }: Origin): Packable {
  const seconds = Number(line.timeNano / nanosPerSecond);
  const nanoseconds = Number(line.timeNano % nanosPerSecond);
  const { part } = line;
  const partial: Record<string, Packable> =
    part === undefined
      ? {}
      : {
          partial_message: 'true',
          partial_id: part.id,
          partial_ordinal: String(part.ordinal),
          partial_last: String(part.isLast),
        };
  return [
    subSecond ? { seconds, nanoseconds } : seconds,
    { map: { ...fields, source: line.stream, log: line.text, ...partial } },
  ];
}

/** `[tag, [[time, record], ...], options]`: the protocol's forward mode. */
export function forwardMessage(lines: readonly ShippedLine[], origin: Origin, chunk?: string): Buffer {
  const records = lines.map((line) => record(line, origin));
  const options = { map: { size: records.length, ...(chunk === undefined ? {} : { chunk }) } };
  return pack([origin.tag, records, options]);
}

/** Waits for the receiver's word on each message. */
class AcknowledgedSink extends StreamSink {
  override readonly confirms = true;
  readonly #origin: Origin;
  #received: Buffer = Buffer.alloc(0);
  #waiting:
    | { readonly chunk: string; readonly settle: () => void; readonly fail: (error: Error) => void }
    | undefined;

  constructor(socket: ConstructorParameters<typeof StreamSink>[0], origin: Origin) {
    super(socket, (lines) => forwardMessage(lines, origin));
    this.#origin = origin;
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    void this.broken.then((error) => this.#waiting?.fail(error));
  }

  protected override receive(): void {}

  #take(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    try {
      for (let found = unpackAck(this.#received); found; found = unpackAck(this.#received)) {
        this.#received = this.#received.subarray(found.size);
        if (found.ack === this.#waiting?.chunk) this.#waiting.settle();
      }
    } catch (error) {
      this.socket.destroy(error as Error);
    }
  }

  override async send(lines: readonly ShippedLine[]): Promise<void> {
    const chunk = randomBytes(16).toString('base64');
    const acknowledged = new Promise<void>((settle, fail) => {
      this.#waiting = { chunk, settle, fail };
    });
    // Looked at below; until then a failure is nobody's.
    acknowledged.catch(() => {});
    await this.write(forwardMessage(lines, this.#origin, chunk));
    await acknowledged;
  }
}

function connectFluentd(options: LogOptions, container: LoggedContainer): Connect {
  const { target, requestAck, subSecond } = parseFluentd(options);
  const origin: Origin = {
    tag: tagOf(container, options),
    fields: {
      container_id: container.id,
      container_name: `/${container.name}`,
      ...extraAttributes(options, container),
    },
    subSecond,
  };
  return async (signal) => {
    const socket = await connectStream(target, signal);
    if (requestAck) return new AcknowledgedSink(socket, origin);
    return new StreamSink(socket, (lines) => forwardMessage(lines, origin));
  };
}

export const fluentdDriver: RemoteDriver = {
  name: 'fluentd',
  known: fluentdOptions,
  check: (options) => void parseFluentd(options),
  connect: connectFluentd,
  firstRetryMs: (options) => parseFluentd(options).retryMs,
};
