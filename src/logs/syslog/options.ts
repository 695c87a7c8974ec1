import { invalid } from '../../core/errors.ts';
import type { LogOptions } from '../options/words.ts';

export const syslogOptions = [
  'syslog-address',
  'syslog-facility',
  'syslog-tls-ca-cert',
  'syslog-tls-cert',
  'syslog-tls-key',
  'syslog-tls-skip-verify',
  'syslog-format',
] as const;

const facilities: Readonly<Record<string, number>> = Object.fromEntries([
  ...[
    'kern',
    'user',
    'mail',
    'daemon',
    'auth',
    'syslog',
    'lpr',
    'news',
    'uucp',
    'cron',
    'authpriv',
    'ftp',
  ].map((name, number) => [name, number] as const),
  ...Array.from({ length: 8 }, (_, index) => [`local${index}`, 16 + index] as const),
]);

const defaultPort = 514;

export type SyslogAddress =
  | { readonly protocol: 'udp' | 'tcp' | 'tcp+tls'; readonly host: string; readonly port: number }
  | { readonly protocol: 'unix' | 'unixgram'; readonly path: string }
  /** The host's own. */
  | { readonly protocol: 'local' };

export type SyslogFormat = '' | 'rfc3164' | 'rfc5424' | 'rfc5424micro';

export interface SyslogSettings {
  readonly address: SyslogAddress;
  /** 0 to 23. */
  readonly facility: number;
  readonly format: SyslogFormat;
}

function parseAddress(text: string): SyslogAddress {
  if (text === '') return { protocol: 'local' };
  const wrong = (): Error => invalid(`syslog-address should be in form proto://address, got ${text}`);
  const parts = /^([a-z+]+):\/\/(.*)$/.exec(text);
  const [, protocol, rest = ''] = parts ?? [];
  if (protocol === 'unix' || protocol === 'unixgram') {
    if (!rest.startsWith('/')) throw wrong();
    return { protocol, path: rest };
  }
  if (protocol !== 'udp' && protocol !== 'tcp' && protocol !== 'tcp+tls') throw wrong();
  const place = /^(?:\[([^\]]*)\]|([^:/]*))(?::(\d*))?\/?$/.exec(rest);
  if (place === null) throw wrong();
  const port = place[3] === undefined || place[3] === '' ? defaultPort : Number(place[3]);
  if (port > 65_535) throw invalid(`address ${port}: invalid port`);
  return { protocol, host: place[1] ?? (place[2] || 'localhost'), port };
}

function parseFacility(text: string | undefined): number {
  if (text === undefined || text === '') return facilities['daemon'] ?? 3;
  const named = Object.hasOwn(facilities, text) ? facilities[text] : undefined;
  if (named !== undefined) return named;
  if (/^\d+$/.test(text) && Number(text) <= 23) return Number(text);
  throw invalid('invalid syslog facility');
}

function parseFormat(text = ''): SyslogFormat {
  if (text === '' || text === 'rfc3164' || text === 'rfc5424' || text === 'rfc5424micro') return text;
  throw invalid('Invalid syslog format');
}

/** `invalid` in Docker's words. */
export function parseSyslog(options: LogOptions): SyslogSettings {
  return {
    address: parseAddress(options['syslog-address'] ?? ''),
    facility: parseFacility(options['syslog-facility']),
    format: parseFormat(options['syslog-format']),
  };
}
