/** Docker's gelf driver: GELF 1.1 over UDP, compressed and in chunks, or over TCP, each message before a zero byte. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { deflateSync, gzipSync } from 'node:zlib';
import type { LoggedContainer } from '../../core/ports/log-driver.ts';
import { extraAttributes } from '../attributes.ts';
import type { LogOptions } from '../options/words.ts';
import { udpConnect } from '../ship/datagram-sink.ts';
import type { RemoteDriver } from '../ship/remote-driver.ts';
import type { Connect, ShippedLine } from '../ship/sink.ts';
import { streamConnect } from '../ship/stream-sink.ts';
import { tagOf } from '../tag.ts';
import { gelfOptions, parseGelf, type GelfSettings } from './options.ts';

const error = 3;
const info = 6;
/** Of a datagram that passes everywhere; the GELF format allows 128 of them for a message. */
const datagramSize = 1420;
const chunkHead = 12;
const maxChunks = 128;

/** What is the same in all messages of a container. */
function commonFields(options: LogOptions, container: LoggedContainer): Readonly<Record<string, string>> {
  const extra = Object.entries(extraAttributes(options, container)).map(([name, value]): [string, string] => [
    name.startsWith('_') ? name : `_${name}`,
    value,
  ]);
  return {
    _container_id: container.id,
    _container_name: container.name,
    _image_id: container.imageId,
    _image_name: container.imageName,
    _command: [container.path, ...container.args].join(' '),
    _tag: tagOf(container, options),
    _created: container.createdAt,
    ...Object.fromEntries(extra),
  };
}

function message(line: ShippedLine, host: string, fields: Readonly<Record<string, string>>): Buffer {
  return Buffer.from(
    JSON.stringify({
      version: '1.1',
      host,
      short_message: line.text.toString(),
      timestamp: Number(line.timeNano / 1_000_000n) / 1000,
      level: line.stream === 'stderr' ? error : info,
      ...fields,
    }),
  );
}

function compress(bytes: Buffer, { compression, level }: GelfSettings): Buffer {
  if (compression === 'none') return bytes;
  return compression === 'gzip' ? gzipSync(bytes, { level }) : deflateSync(bytes, { level });
}

/** One datagram, or the chunks of a message that is longer. */
export function chunks(bytes: Buffer): Buffer[] {
  if (bytes.length <= datagramSize) return [bytes];
  const size = datagramSize - chunkHead;
  const count = Math.ceil(bytes.length / size);
  // Nothing in the format is there for more: a message that long is cut.
  const total = Math.min(count, maxChunks);
  const id = randomBytes(8);
  return Array.from({ length: total }, (_, index) =>
    Buffer.concat([
      Buffer.from([0x1e, 0x0f]),
      id,
      Buffer.from([index, total]),
      bytes.subarray(index * size, (index + 1) * size),
    ]),
  );
}

const zero = Buffer.alloc(1);

function connectGelf(options: LogOptions, container: LoggedContainer): Connect {
  const settings = parseGelf(options);
  const { protocol, host, port } = settings;
  const fields = commonFields(options, container);
  const name = hostname();
  if (protocol === 'tcp') {
    return streamConnect({ kind: 'tcp', host, port }, (lines) =>
      Buffer.concat(lines.flatMap((line) => [message(line, name, fields), zero])),
    );
  }
  return udpConnect(host, port, function* datagrams(lines) {
    for (const line of lines) yield* chunks(compress(message(line, name, fields), settings));
  });
}

export const gelfDriver: RemoteDriver = {
  name: 'gelf',
  known: gelfOptions,
  check: (options) => void parseGelf(options),
  connect: connectGelf,
  firstRetryMs: (options) => parseGelf(options).retryMs ?? 250,
};
