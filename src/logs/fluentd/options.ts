import { invalid } from '../../core/errors.ts';
import { type LogOptions, parseBool, parseDuration, parseInteger, parseSize } from '../options/words.ts';
import type { StreamTarget } from '../ship/stream-sink.ts';

export const fluentdOptions = [
  'fluentd-address',
  'fluentd-async',
  'fluentd-async-connect',
  'fluentd-async-reconnect-interval',
  'fluentd-buffer-limit',
  'fluentd-max-retries',
  'fluentd-request-ack',
  'fluentd-retry-wait',
  'fluentd-sub-second-precision',
  'fluentd-write-timeout',
] as const;

export interface FluentdSettings {
  readonly target: StreamTarget;
  readonly requestAck: boolean;
  readonly subSecond: boolean;
  readonly retryMs: number;
}

const defaultPort = 24_224;
const defaultRetryMs = 1000;

function parseAddress(text: string): StreamTarget {
  if (text === '') return { kind: 'tcp', host: '127.0.0.1', port: defaultPort };
  const wrong = (reason: string): Error => invalid(`invalid fluentd-address ${text}: ${reason}`);
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length);
    if (path === '' || path === '/') throw wrong('path is empty');
    return { kind: 'unix', path };
  }
  const [, scheme, rest = ''] = /^(?:(tcp|tls):\/\/)?(.*)$/.exec(text) ?? [];
  const place = /^(?:\[([^\]]*)\]|([^:/]*))(?::([^:]*))?$/.exec(rest.replace(/\/$/, ''));
  if (place === null) throw wrong(`address ${rest}: too many colons in address`);
  const portText = place[3] ?? '';
  if (portText !== '' && !/^\d+$/.test(portText)) {
    throw wrong(`strconv.Atoi: parsing ${JSON.stringify(portText)}: invalid syntax`);
  }
  const port = portText === '' ? defaultPort : Number(portText);
  if (port > 65_535) throw invalid(`address ${port}: invalid port`);
  const host = place[1] ?? (place[2] || '127.0.0.1');
  if (scheme !== 'tls') return { kind: 'tcp', host, port };
  const tls = { caFile: undefined, certFile: undefined, keyFile: undefined, skipVerify: false };
  return { kind: 'tls', host, port, tls };
}

function reconnectInterval(text: string | undefined): void {
  if (text === undefined) return;
  const interval = parseDuration(text);
  if (interval !== 0 && (interval < 100 || interval > 10_000)) {
    throw invalid(
      `invalid value for fluentd-async-reconnect-interval: value (${text}) must be between 100ms and 10s`,
    );
  }
}

function flag(options: LogOptions, name: string): boolean {
  const text = options[name];
  return text === undefined ? false : parseBool(text);
}

/**
 * `invalid` in Docker's words. The buffer, its limit and the number of retries have nothing to do here: the spool is the buffer, and
 * nobody gives up; their values are checked all the same.
 */
export function parseFluentd(options: LogOptions): FluentdSettings {
  if (options['fluentd-buffer-limit'] !== undefined) parseSize(options['fluentd-buffer-limit'], true);
  if (options['fluentd-max-retries'] !== undefined) parseInteger(options['fluentd-max-retries'], 'ParseUint');
  if (options['fluentd-write-timeout'] !== undefined) parseDuration(options['fluentd-write-timeout']);
  if (options['fluentd-async'] !== undefined && options['fluentd-async-connect'] !== undefined) {
    throw invalid("conflicting options: cannot specify both 'fluentd-async' and 'fluentd-async-connect");
  }
  flag(options, 'fluentd-async');
  flag(options, 'fluentd-async-connect');
  reconnectInterval(options['fluentd-async-reconnect-interval']);
  const wait = options['fluentd-retry-wait'];
  return {
    target: parseAddress(options['fluentd-address'] ?? ''),
    requestAck: flag(options, 'fluentd-request-ack'),
    subSecond: flag(options, 'fluentd-sub-second-precision'),
    retryMs: wait === undefined ? defaultRetryMs : Math.max(10, parseDuration(wait)),
  };
}
