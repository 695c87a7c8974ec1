import { invalid } from '../../core/errors.ts';
import { checkNames } from '../options/common.ts';
import type { LogOptions } from '../options/words.ts';
import { attributeOptions } from '../attributes.ts';

export const gelfOptions = [
  'gelf-address',
  'gelf-compression-level',
  'gelf-compression-type',
  'gelf-tcp-max-reconnect',
  'gelf-tcp-reconnect-delay',
] as const;

export type GelfCompression = 'gzip' | 'zlib' | 'none';

export interface GelfSettings {
  readonly protocol: 'udp' | 'tcp';
  readonly host: string;
  readonly port: number;
  readonly compression: GelfCompression;
  /** -1 to 9, as zlib has them. */
  readonly level: number;
  readonly retryMs: number | undefined;
}

const known: ReadonlySet<string> = new Set([...gelfOptions, ...attributeOptions]);

function parseAddress(text: string | undefined): Pick<GelfSettings, 'protocol' | 'host' | 'port'> {
  if (text === undefined || text === '') throw invalid('gelf-address is a required parameter');
  const [, protocol, rest = ''] = /^(\w+):\/\/(.*)$/.exec(text) ?? [];
  if (protocol !== 'udp' && protocol !== 'tcp') {
    throw invalid(`gelf-address should be in form proto://address, got ${text}`);
  }
  const place = /^(?:\[([^\]]+)\]|([^:/]*)):(\d+)$/.exec(rest);
  if (place === null) throw invalid('gelf: please provide gelf-address as proto://host:port');
  const port = Number(place[3]);
  if (port > 65_535) throw invalid(`address ${port}: invalid port`);
  return { protocol, host: place[1] ?? (place[2] || 'localhost'), port };
}

const unknownValue = (name: string, value: string): Error =>
  invalid(`unknown value ${JSON.stringify(value)} for log opt "${name}" for gelf log driver`);

function isCompression(text: string): text is GelfCompression {
  return text === 'gzip' || text === 'zlib' || text === 'none';
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\+?\d+$/.test(text)) throw invalid(`"${name}" must be a positive integer`);
  return Number(text);
}

/** `invalid` in Docker's words. */
export function parseGelf(options: LogOptions): GelfSettings {
  const address = parseAddress(options['gelf-address']);
  checkNames('gelf', options, known);
  const type = options['gelf-compression-type'];
  const level = options['gelf-compression-level'];
  const isUdp = address.protocol === 'udp';
  if (!isUdp && (type !== undefined || level !== undefined)) {
    throw invalid('compression is only supported on UDP');
  }
  if (type !== undefined && !isCompression(type)) throw unknownValue('gelf-compression-type', type);
  if (level !== undefined && !/^(-1|\d)$/.test(level)) throw unknownValue('gelf-compression-level', level);
  for (const name of ['gelf-tcp-max-reconnect', 'gelf-tcp-reconnect-delay']) {
    if (isUdp && options[name] !== undefined) throw invalid(`"${name}" is only valid for TCP`);
    positive(name, options[name]);
  }
  const retry = positive('gelf-tcp-reconnect-delay', options['gelf-tcp-reconnect-delay']);
  return {
    ...address,
    compression: type ?? 'gzip',
    level: level === undefined ? 1 : Number(level),
    retryMs: retry === undefined ? undefined : retry * 1000,
  };
}
