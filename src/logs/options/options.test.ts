/** What dockerd says to options of its drivers, word for word (20.10.24; checked against one that ran). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKind } from '../../core/errors.ts';
import { openUnixDatagram } from '../../host/index.ts';
import { createLogDrivers } from '../index.ts';
import { parseDuration } from './words.ts';

const drivers = createLogDrivers({ openDatagram: openUnixDatagram });

const address = { 'gelf-address': 'udp://127.0.0.1:12201' };
const tcp = { 'gelf-address': 'tcp://127.0.0.1:12201' };

const refused: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
  ['json-file', { 'max-size': 'many' }, "invalid size: 'many'"],
  ['json-file', { 'max-size': '0' }, 'max-size must be a positive number'],
  ['json-file', { 'max-file': 'x' }, 'strconv.Atoi: parsing "x": invalid syntax'],
  ['json-file', { 'max-file': '0' }, 'max-file cannot be less than 1'],
  ['json-file', { mode: 'x' }, 'logger: logging mode not supported: x'],
  [
    'json-file',
    { mode: 'blocking', 'max-buffer-size': '1m' },
    "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
  ],
  [
    'syslog',
    { mode: 'non-blocking', 'max-buffer-size': 'q' },
    "error parsing option max-buffer-size: invalid size: 'q'",
  ],
  ['local', { 'max-size': 'many' }, "invalid value for max-size: many: invalid size: 'many'"],
  ['local', { 'max-size': '-1' }, "invalid value for max-size: -1: invalid size: '-1'"],
  ['local', { 'max-file': 'x' }, 'invalid value for max-file: x: strconv.Atoi: parsing "x": invalid syntax'],
  ['local', { 'max-file': '0' }, 'compression cannot be enabled when max file count is 1'],
  [
    'local',
    { compress: 'maybe' },
    'error reading compress log option: strconv.ParseBool: parsing "maybe": invalid syntax',
  ],
  ['local', { tag: 'x' }, "unknown log opt 'tag' for log driver local"],
  ['syslog', { nosuch: '1' }, "unknown log opt 'nosuch' for syslog log driver"],
  ['syslog', { 'syslog-address': 'foo' }, 'syslog-address should be in form proto://address, got foo'],
  [
    'syslog',
    { 'syslog-address': 'http://x' },
    'syslog-address should be in form proto://address, got http://x',
  ],
  ['syslog', { 'syslog-facility': 'xyz' }, 'invalid syslog facility'],
  ['syslog', { 'syslog-format': 'xyz' }, 'Invalid syslog format'],
  ['journald', { nosuch: '1' }, "unknown log opt 'nosuch' for journald log driver"],
  ['fluentd', { nosuch: '1' }, "unknown log opt 'nosuch' for fluentd log driver"],
  [
    'fluentd',
    { 'fluentd-address': 'a:b:c' },
    'invalid fluentd-address a:b:c: address a:b:c: too many colons in address',
  ],
  ['fluentd', { 'fluentd-buffer-limit': 'x' }, "invalid size: 'x'"],
  ['fluentd', { 'fluentd-retry-wait': 'x' }, 'time: invalid duration "x"'],
  ['fluentd', { 'fluentd-max-retries': 'x' }, 'strconv.ParseUint: parsing "x": invalid syntax'],
  ['fluentd', { 'fluentd-async': 'x' }, 'strconv.ParseBool: parsing "x": invalid syntax'],
  ['fluentd', { 'fluentd-request-ack': 'x' }, 'strconv.ParseBool: parsing "x": invalid syntax'],
  [
    'fluentd',
    { 'fluentd-async-connect': 'true', 'fluentd-async': 'true' },
    "conflicting options: cannot specify both 'fluentd-async' and 'fluentd-async-connect",
  ],
  ['gelf', {}, 'gelf-address is a required parameter'],
  ['gelf', { ...address, nosuch: '1' }, "unknown log opt 'nosuch' for gelf log driver"],
  ['gelf', { 'gelf-address': 'foo' }, 'gelf-address should be in form proto://address, got foo'],
  ['gelf', { 'gelf-address': 'udp://127.0.0.1' }, 'gelf: please provide gelf-address as proto://host:port'],
  [
    'gelf',
    { ...address, 'gelf-compression-type': 'x' },
    'unknown value "x" for log opt "gelf-compression-type" for gelf log driver',
  ],
  [
    'gelf',
    { ...address, 'gelf-compression-level': '99' },
    'unknown value "99" for log opt "gelf-compression-level" for gelf log driver',
  ],
  ['gelf', { ...tcp, 'gelf-compression-type': 'gzip' }, 'compression is only supported on UDP'],
  ['gelf', { ...address, 'gelf-tcp-max-reconnect': '1' }, '"gelf-tcp-max-reconnect" is only valid for TCP'],
  ['gelf', { ...tcp, 'gelf-tcp-max-reconnect': '-1' }, '"gelf-tcp-max-reconnect" must be a positive integer'],
  [
    'gelf',
    { ...tcp, 'gelf-tcp-reconnect-delay': 'x' },
    '"gelf-tcp-reconnect-delay" must be a positive integer',
  ],
];

test("options are refused in Docker's words", () => {
  for (const [driver, options, message] of refused) {
    assert.throws(
      () => drivers.get(driver)?.validate(options),
      (error) => {
        assert.ok(isKind(error, 'invalid'), `${driver} ${JSON.stringify(options)}`);
        assert.equal(error.message, message);
        return true;
      },
      `${driver} ${JSON.stringify(options)}`,
    );
  }
});

test('options that Docker takes are taken', () => {
  for (const [driver, options] of [
    ['none', { nosuch: '1' }],
    ['json-file', { 'max-file': '3', 'cache-disabled': 'true' }],
    ['local', { 'max-file': '1', compress: 'false' }],
    ['syslog', {}],
    ['syslog', { 'syslog-address': 'udp://127.0.0.1', 'syslog-facility': '7' }],
    ['syslog', { 'syslog-address': 'tcp://' }],
    ['syslog', { 'syslog-address': 'tcp+tls://[::1]:6514', 'syslog-format': 'rfc5424micro' }],
    ['fluentd', { 'fluentd-address': 'tcp://127.0.0.1:1/' }],
    ['fluentd', { 'fluentd-async': 'true', 'fluentd-async-reconnect-interval': '1s' }],
    ['gelf', { ...tcp, 'gelf-tcp-max-reconnect': '3', 'gelf-tcp-reconnect-delay': '1' }],
    ['journald', { mode: 'non-blocking', 'max-buffer-size': '4m', labels: 'a', tag: '{{.Name}}' }],
  ] as const) {
    assert.ok(drivers.get(driver)?.validate(options), driver);
  }
});

test('what waits in which mode', () => {
  const plan = (options: Readonly<Record<string, string>>) => drivers.get('journald')?.validate(options);
  const base = { maxSize: 20_000_000, keepBytes: true, readable: true, compress: true };
  assert.deepEqual(plan({}), { ...base, maxFile: 5, unsentMax: 1_000_000_000 });
  assert.deepEqual(plan({ mode: 'non-blocking' }), { ...base, maxFile: 5 });
  assert.equal(plan({ mode: 'non-blocking', 'max-buffer-size': '200m' })?.maxFile, 12);
  const uncached = plan({ 'cache-disabled': 'true' });
  assert.deepEqual([uncached?.readable, uncached?.compress, uncached?.maxFile], [false, false, 1]);
});

test('durations as Go has them, in milliseconds', () => {
  for (const [text, value] of [
    ['0', 0],
    ['50ms', 50],
    ['1.5s', 1500],
    ['1m30s', 90_000],
    ['-2h', -7_200_000],
    ['250us', 0.25],
  ] as const) {
    assert.equal(parseDuration(text), value, text);
  }
  assert.throws(() => parseDuration('5'), /missing unit in duration "5"/);
  assert.throws(() => parseDuration('5y'), /unknown unit "y" in duration "5y"/);
});
