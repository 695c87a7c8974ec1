/** Docker's journald driver, in the journal's native protocol: one datagram an entry, with the container's fields. */
import { existsSync } from 'node:fs';
import { internal } from '../../core/errors.ts';
import type { LoggedContainer } from '../../core/ports/log-driver.ts';
import type { OpenUnixDatagram } from '../../core/ports/unix-datagram.ts';
import { extraAttributes } from '../attributes.ts';
import type { LogOptions } from '../options/words.ts';
import { unixDatagramConnect } from '../ship/datagram-sink.ts';
import type { RemoteDriver } from '../ship/remote-driver.ts';
import type { ShippedLine } from '../ship/sink.ts';
import { tagOf } from '../tag.ts';

export const journalSocket = '/run/systemd/journal/socket';
const error = '3';
const info = '6';
const newline = 0x0a;

/** A name as the journal takes it: capitals, digits and underscores, and none in front. */
export function fieldName(name: string): string {
  return name
    .toUpperCase()
    .replaceAll(/[^A-Z0-9_]/g, '_')
    .replace(/^_+/, '');
}

/** `NAME=value\n`, or with the value's length where it has lines of its own. */
export function field(name: string, value: Buffer): Buffer {
  const end = Buffer.from('\n');
  if (!value.includes(newline)) return Buffer.concat([Buffer.from(`${name}=`), value, end]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(value.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, value, end]);
}

/** Labels and variables that the options choose, by the names that the journal has for them. */
function chosenFields(options: LogOptions, container: LoggedContainer): Readonly<Record<string, string>> {
  const chosen = Object.entries(extraAttributes(options, container));
  return Object.fromEntries(
    chosen.map(([name, value]) => [fieldName(name), value]).filter(([name]) => name !== ''),
  );
}

function commonFields(options: LogOptions, container: LoggedContainer): Buffer {
  const tag = tagOf(container, options);
  const fields = {
    CONTAINER_ID: container.id.slice(0, 12),
    CONTAINER_ID_FULL: container.id,
    CONTAINER_NAME: container.name,
    CONTAINER_TAG: tag,
    IMAGE_NAME: container.imageName,
    SYSLOG_IDENTIFIER: tag,
    ...chosenFields(options, container),
  };
  return Buffer.concat(Object.entries(fields).map(([name, value]) => field(name, Buffer.from(value))));
}

function entry(line: ShippedLine, common: Buffer): Buffer {
  const fields: [string, string][] = [
    ['PRIORITY', line.stream === 'stderr' ? error : info],
    ['SYSLOG_TIMESTAMP', line.time],
  ];
  if (line.part !== undefined) {
    if (!line.part.isLast) fields.push(['CONTAINER_PARTIAL_MESSAGE', 'true']);
    fields.push(
      ['CONTAINER_PARTIAL_ID', line.part.id],
      ['CONTAINER_PARTIAL_ORDINAL', String(line.part.ordinal)],
      ['CONTAINER_PARTIAL_LAST', String(line.part.isLast)],
    );
  }
  return Buffer.concat([
    field('MESSAGE', line.text),
    common,
    ...fields.map(([name, value]) => field(name, Buffer.from(value))),
  ]);
}

export function journaldDriver(openDatagram: OpenUnixDatagram, socket = journalSocket): RemoteDriver {
  return {
    name: 'journald',
    known: [],
    check: () => {},
    checkHost: () => {
      if (!existsSync(socket)) {
        throw internal('failed to initialize logging driver: journald is not enabled on this host');
      }
    },
    // Docker reads the journal back, and with it these fields.
    attributes: (options, container) => {
      const fields = chosenFields(options, container);
      return Object.keys(fields).length > 0 ? fields : undefined;
    },
    connect: (options, container) => {
      const common = commonFields(options, container);
      return unixDatagramConnect(openDatagram, [socket], (lines) => lines.map((line) => entry(line, common)));
    },
  };
}
