/** Drivers that send the log on, each before a receiver of its own: what arrives, and that nothing is lost when either side goes away. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFile, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { backgroundCtx } from '../../src/core/ctx.ts';
import type { LogDriver, LoggedContainer } from '../../src/core/ports/log-driver.ts';
import { openUnixDatagram } from '../../src/host/index.ts';
import { createLogDrivers } from '../../src/logs/index.ts';
import { journaldDriver } from '../../src/logs/journald/index.ts';
import { createRemoteDriver } from '../../src/logs/ship/remote-driver.ts';
import { CompressionQueue } from '../../src/logs/spool/compress.ts';
import { listSegments, segmentPath } from '../../src/logs/spool/segments.ts';
import {
  byLine,
  byZero,
  gelfMessages,
  journalFields,
  receiveStream,
  receiveUdp,
  receiveUnixDatagrams,
  type Receiver,
  type Splitter,
} from '../helpers/log-receivers.ts';
import { unpack } from '../helpers/msgpack-reader.ts';

const container: LoggedContainer = {
  id: '0123456789abcdef'.repeat(4),
  name: 'web',
  imageId: 'sha256:fedcba9876543210',
  imageName: 'nginx:1',
  createdAt: '2026-01-02T03:04:05Z',
  path: 'nginx',
  args: ['-g'],
  labels: { team: 'x', 'a.b': 'dots' },
  env: ['STAGE=prod'],
  logPath: '/log',
};

interface Line {
  readonly text: string;
  readonly isStderr: boolean;
}

type Options = Readonly<Record<string, string>>;

/** One way to send: how to listen, the options that lead there, and what a message says. */
interface Way {
  readonly name: string;
  readonly driver: string;
  listen(at: number | string, cutAfter?: number): Promise<Receiver>;
  /** What is listened at first: a path, or 0 for a port. */
  readonly at: (directory: string) => number | string;
  options(receiver: Receiver, at: number | string): Options;
  lines(messages: readonly Buffer[]): Line[];
  /** Whether the receiver's going away is noticed. */
  readonly isConnected: boolean;
}

const listenStream =
  (split: Splitter, answer?: (message: Buffer) => Buffer | undefined) =>
  (at: number | string, cutAfter?: number): Promise<Receiver> =>
    receiveStream({
      at,
      split,
      ...(answer === undefined ? {} : { answer }),
      ...(cutAfter === undefined ? {} : { cutAfter }),
    });

const syslogLines = (messages: readonly Buffer[]): Line[] =>
  messages.map((message) => {
    const [, priority = '', text = ''] = /^<(\d+)>.*?\]: (.*?)\n?$/s.exec(message.toString()) ?? [];
    return { text, isStderr: (Number(priority) & 7) === 3 };
  });

const gelfLines = (messages: readonly Buffer[]): Line[] =>
  gelfMessages(messages).map(({ short_message: text, level }) => ({
    text: String(text),
    isStderr: level === 3,
  }));

const byValue: Splitter = (received, take) => {
  let rest = received;
  for (let found = unpack(rest); found; found = unpack(rest)) {
    take(rest.subarray(0, found.size));
    rest = rest.subarray(found.size);
  }
  return rest;
};

type Forwarded = readonly [
  Buffer,
  readonly (readonly [unknown, Record<string, Buffer>])[],
  Record<string, Buffer>,
];

const forwarded = (message: Buffer): Forwarded => unpack(message)?.value as Forwarded;

const fluentdLines = (messages: readonly Buffer[]): Line[] =>
  messages.flatMap((message) =>
    forwarded(message)[1].map(([, record]) => ({
      text: String(record['log']),
      isStderr: String(record['source']) === 'stderr',
    })),
  );

const acknowledge = (message: Buffer): Buffer => {
  const chunk = forwarded(message)[2]['chunk'] ?? Buffer.alloc(0);
  return Buffer.concat([
    Buffer.from([0x81, 0xa3]),
    Buffer.from('ack'),
    Buffer.from([0xa0 | chunk.length]),
    chunk,
  ]);
};

const journalLines = (messages: readonly Buffer[]): Line[] =>
  messages.map((message) => {
    const fields = journalFields(message);
    return { text: String(fields.get('MESSAGE')), isStderr: String(fields.get('PRIORITY')) === '3' };
  });

const port = (): number => 0;
const socketAt = (directory: string): string => join(directory, `s${Math.random().toString(36).slice(2)}`);

const ways: readonly Way[] = [
  {
    name: 'syslog over TCP',
    driver: 'syslog',
    listen: listenStream(byLine),
    at: port,
    options: (receiver) => ({ 'syslog-address': `tcp://127.0.0.1:${receiver.port}` }),
    lines: syslogLines,
    isConnected: true,
  },
  {
    name: 'syslog over a unix socket',
    driver: 'syslog',
    listen: listenStream(byLine),
    at: socketAt,
    options: (_receiver, at) => ({ 'syslog-address': `unix://${at}` }),
    lines: syslogLines,
    isConnected: true,
  },
  {
    name: 'syslog over UDP',
    driver: 'syslog',
    listen: () => receiveUdp(),
    at: port,
    options: (receiver) => ({ 'syslog-address': `udp://127.0.0.1:${receiver.port}` }),
    lines: syslogLines,
    isConnected: false,
  },
  {
    name: 'syslog over unix datagrams',
    driver: 'syslog',
    listen: (at) => receiveUnixDatagrams(String(at)),
    at: socketAt,
    options: (_receiver, at) => ({ 'syslog-address': `unixgram://${at}` }),
    lines: syslogLines,
    isConnected: true,
  },
  {
    name: 'gelf over TCP',
    driver: 'gelf',
    listen: listenStream(byZero),
    at: port,
    options: (receiver) => ({ 'gelf-address': `tcp://127.0.0.1:${receiver.port}` }),
    lines: gelfLines,
    isConnected: true,
  },
  ...['gzip', 'zlib', 'none'].map((compression): Way => ({
    name: `gelf over UDP, ${compression}`,
    driver: 'gelf',
    listen: () => receiveUdp(),
    at: port,
    options: (receiver) => ({
      'gelf-address': `udp://127.0.0.1:${receiver.port}`,
      'gelf-compression-type': compression,
    }),
    lines: gelfLines,
    isConnected: false,
  })),
  {
    name: 'fluentd over TCP',
    driver: 'fluentd',
    listen: listenStream(byValue),
    at: port,
    options: (receiver) => ({
      'fluentd-address': `127.0.0.1:${receiver.port}`,
      'fluentd-retry-wait': '50ms',
    }),
    lines: fluentdLines,
    isConnected: true,
  },
  {
    name: 'fluentd over a unix socket, acknowledged',
    driver: 'fluentd',
    listen: listenStream(byValue, acknowledge),
    at: socketAt,
    options: (_receiver, at) => ({
      'fluentd-address': `unix://${at}`,
      'fluentd-request-ack': 'true',
      'fluentd-retry-wait': '50ms',
    }),
    lines: fluentdLines,
    isConnected: true,
  },
  {
    name: 'journald',
    driver: 'journald',
    listen: (at) => receiveUnixDatagrams(String(at)),
    at: socketAt,
    options: () => ({}),
    lines: journalLines,
    isConnected: true,
  },
];

async function eventually(what: string, check: () => boolean): Promise<void> {
  for (let turn = 0; !check(); turn += 1) {
    if (turn > 3000) throw new Error(`did not happen: ${what}`);
    await delay(10);
  }
}

describe('logs sent on', () => {
  let directory: string;
  let count = 0;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'slip-'));
  });
  after(async () => {
    await rm(directory, { recursive: true });
  });

  const driverOf = (way: Way, at: number | string): LogDriver => {
    if (way.driver === 'journald') {
      return createRemoteDriver(journaldDriver(openUnixDatagram, String(at)), new CompressionQueue());
    }
    return createLogDrivers({ openDatagram: openUnixDatagram }).get(way.driver) as LogDriver;
  };

  /** Appends lines as the shim does. */
  const write = async (path: string, from: number, to: number): Promise<void> => {
    const lines = Array.from({ length: to - from }, (_, index) => {
      const stream = (from + index) % 3 === 0 ? 'stderr' : 'stdout';
      return `${JSON.stringify({ log: `line ${from + index}\n`, stream, time: '2026-01-02T03:04:05.123456789Z' })}\n`;
    });
    await appendFile(path, lines.join(''));
  };
  const rotate = async (path: string): Promise<void> => {
    const { numbers } = await listSegments(path);
    await rename(path, segmentPath(path, (numbers.at(-1) ?? 0) + 1));
  };
  const expected = (to: number): Line[] =>
    Array.from({ length: to }, (_, index) => ({ text: `line ${index}`, isStderr: index % 3 === 0 }));

  const tending = (driver: LogDriver, path: string, options: Options, ended: Promise<unknown>) => ({
    path,
    options,
    plan: driver.validate(options),
    container,
    ended,
  });
  const newLog = async (): Promise<string> => {
    const path = join(directory, `${(count += 1)}-json.log`);
    await appendFile(path, '');
    return path;
  };

  for (const way of ways) {
    it(`${way.name}: every line once, in order, over rotated files`, async () => {
      const at = way.at(directory);
      const receiver = await way.listen(at);
      const path = await newLog();
      await write(path, 0, 100);
      await rotate(path);
      await write(path, 100, 150);
      const driver = driverOf(way, at);
      const ended = Promise.withResolvers<void>();
      const done = driver.tend?.(
        backgroundCtx(),
        tending(driver, path, way.options(receiver, at), ended.promise),
      );
      await eventually('what was there has come', () => way.lines(receiver.messages).length === 150);
      await write(path, 150, 170);
      await rotate(path);
      await write(path, 170, 300);
      ended.resolve();
      await done;
      await eventually('all has come', () => way.lines(receiver.messages).length >= 300);
      assert.deepEqual(way.lines(receiver.messages), expected(300));
      await receiver.close();
    });

    it(`${way.name}: a sender that is stopped in the middle goes on where it was`, async () => {
      const at = way.at(directory);
      const receiver = await way.listen(at);
      const path = await newLog();
      const driver = driverOf(way, at);
      const options = way.options(receiver, at);
      await write(path, 0, 400);
      const abort = new AbortController();
      const ctx = { ...backgroundCtx(), signal: abort.signal };
      const first = driver.tend?.(ctx, tending(driver, path, options, new Promise(() => {})));
      await eventually('some lines have come', () => receiver.messages.length > 0);
      abort.abort();
      await first;
      await write(path, 400, 500);
      await driver.tend?.(backgroundCtx(), tending(driver, path, options, Promise.resolve()));
      await eventually('the last line has come', () => {
        return way.lines(receiver.messages).some(({ text }) => text === 'line 499');
      });
      assert.equal(new Set(way.lines(receiver.messages).map(({ text }) => text)).size, 500);
      await receiver.close();
    });

    if (!way.isConnected) continue;
    it(`${way.name}: a receiver that comes late, breaks down and comes back misses nothing`, async () => {
      const at = way.at(directory);
      // A port that is free, for a receiver that comes later.
      const early = await way.listen(at);
      const place = typeof at === 'string' ? at : early.port;
      const options = way.options(early, place);
      await early.close();
      const path = await newLog();
      const driver = driverOf(way, place);
      await write(path, 0, 500);
      const ended = Promise.withResolvers<void>();
      const done = driver.tend?.(backgroundCtx(), tending(driver, path, options, ended.promise));
      await delay(50);
      const seen: Line[] = [];
      const first = await way.listen(place, 1);
      await eventually('the first has come', () => first.messages.length > 0);
      await write(path, 500, 700);
      await first.close();
      seen.push(...way.lines(first.messages));
      await write(path, 700, 1000);
      const second = await way.listen(place);
      ended.resolve();
      await done;
      await eventually('the last line has come', () => {
        return way.lines(second.messages).some(({ text }) => text === 'line 999');
      });
      seen.push(...way.lines(second.messages));
      assert.equal(new Set(seen.map(({ text }) => text)).size, 1000);
      await second.close();
    });
  }

  it('sent files are deleted but for those that `logs` is to see, and compressed', async () => {
    const [way] = ways;
    assert.ok(way);
    const receiver = await way.listen(0);
    const driver = driverOf(way, 0);
    for (const [extra, left] of [
      [{}, ['.0000000006.gz', '.0000000007.gz', '.0000000008.gz', '.0000000009.gz', '.cursor']],
      [{ 'cache-max-file': '2', 'cache-compress': 'false' }, ['.0000000009', '.cursor']],
      [{ 'cache-disabled': 'true' }, ['.cursor']],
    ] as const) {
      const path = await newLog();
      for (let file = 0; file < 9; file += 1) {
        await write(path, file, file + 1);
        await rotate(path);
      }
      await write(path, 9, 10);
      const options = { ...way.options(receiver, 0), ...extra };
      await driver.tend?.(backgroundCtx(), tending(driver, path, options, Promise.resolve()));
      const base = path.split('/').at(-1) ?? '';
      let names: string[] = [];
      await eventually(`only ${left.join(' ')} are left`, () => {
        void readdir(directory).then((all) => {
          names = all.filter((name) => name.startsWith(`${base}.`)).map((name) => name.slice(base.length));
        });
        return names.sort().join(' ') === left.join(' ');
      });
    }
    await receiver.close();
  });

  it('a sender before a receiver that does not read can be stopped, and goes on later with nothing missing', async () => {
    const sockets: Socket[] = [];
    const deaf = createServer((socket) => void sockets.push(socket.pause()));
    deaf.listen(0, '127.0.0.1');
    await once(deaf, 'listening');
    const { port: at } = deaf.address() as AddressInfo;
    const driver = createLogDrivers({ openDatagram: openUnixDatagram }).get('syslog') as LogDriver;
    const options = { 'syslog-address': `tcp://127.0.0.1:${at}` };
    const path = await newLog();
    await write(path, 0, 1);
    const time = '2026-01-02T03:04:05Z';
    const filler = `${JSON.stringify({ log: `${'x'.repeat(16_000)}\n`, stream: 'stdout', time })}\n`;
    await appendFile(path, filler.repeat(1000));
    await write(path, 1, 2);
    const abort = new AbortController();
    const ctx = { ...backgroundCtx(), signal: abort.signal };
    const stuck = driver.tend?.(ctx, tending(driver, path, options, new Promise(() => {})));
    await eventually('it has connected', () => sockets.length === 1);
    await delay(200);
    abort.abort();
    await stuck;
    for (const socket of sockets) socket.destroy();
    deaf.close();
    await once(deaf, 'close');
    const receiver = await receiveStream({ split: byLine, at });
    await driver.tend?.(backgroundCtx(), tending(driver, path, options, Promise.resolve()));
    const texts = new Set(syslogLines(receiver.messages).map(({ text }) => text));
    assert.ok(texts.has('line 0') && texts.has('line 1'));
    assert.ok(receiver.messages.length >= 1002);
    await receiver.close();
  });

  it('in non-blocking mode no more waits than the buffer holds; the newest lines are sent', async () => {
    const [way] = ways;
    assert.ok(way);
    const early = await way.listen(0);
    await early.close();
    const driver = driverOf(way, 0);
    const options = { ...way.options(early, 0), mode: 'non-blocking', 'max-buffer-size': '4k' };
    const path = await newLog();
    const ended = Promise.withResolvers<void>();
    const done = driver.tend?.(backgroundCtx(), tending(driver, path, options, ended.promise));
    await write(path, 0, 1000);
    const late = await way.listen(early.port);
    ended.resolve();
    await done;
    await eventually('the last has come', () => way.lines(late.messages).at(-1)?.text === 'line 999');
    const numbers = way.lines(late.messages).map(({ text }) => Number(text.slice(5)));
    assert.ok(numbers.length > 20 && numbers.length < 60, `${numbers.length} lines`);
    assert.deepEqual(
      numbers,
      Array.from({ length: numbers.length }, (_, index) => 1000 - numbers.length + index),
    );
    await late.close();
  });

  it("messages have Docker's forms", async () => {
    const receiver = await receiveStream({ split: byLine });
    const drivers = createLogDrivers({ openDatagram: openUnixDatagram });
    const send = async (driver: string, options: Options, log = 'hello <&> wörld\n'): Promise<void> => {
      const path = await newLog();
      const time = '2026-01-02T03:04:05.123456789Z';
      await appendFile(path, `${JSON.stringify({ log, stream: 'stderr', time })}\n`);
      const one = drivers.get(driver) as LogDriver;
      await one.tend?.(backgroundCtx(), tending(one, path, options, Promise.resolve()));
    };
    const local = new Date('2026-01-02T03:04:05.123Z');
    const clock = `Jan ${String(local.getDate()).padStart(2, ' ')} ${local.toTimeString().slice(0, 8)}`;
    const address = `tcp://127.0.0.1:${receiver.port}`;
    const own = `[${process.pid}]: hello <&> wörld`;
    for (const [options, message] of [
      [{}, `<27>${clock} 0123456789ab${own}`],
      [{ 'syslog-format': 'rfc3164', tag: '{{.Name}}' }, `<27>${clock} ${hostname()} web${own}`],
      [
        { 'syslog-format': 'rfc5424', 'syslog-facility': 'local7' },
        `<187>1 2026-01-02T03:04:05Z ${hostname()} 0123456789ab ${process.pid} 0123456789ab - hello <&> wörld`,
      ],
      [
        { 'syslog-format': 'rfc5424micro', 'syslog-facility': '1' },
        `<11>1 2026-01-02T03:04:05.123456Z ${hostname()} 0123456789ab ${process.pid} 0123456789ab - hello <&> wörld`,
      ],
    ] as const) {
      await send('syslog', { 'syslog-address': address, ...options });
      assert.equal(String(receiver.messages.pop()), message);
    }
    await receiver.close();
    const gelf = await receiveStream({ split: byZero });
    await send('gelf', {
      'gelf-address': `tcp://127.0.0.1:${gelf.port}`,
      labels: 'team',
      env: 'STAGE',
      tag: 't',
    });
    assert.deepEqual(JSON.parse(String(gelf.messages[0])), {
      version: '1.1',
      host: hostname(),
      short_message: 'hello <&> wörld',
      timestamp: 1_767_323_045.123,
      level: 3,
      _container_id: container.id,
      _container_name: 'web',
      _image_id: container.imageId,
      _image_name: 'nginx:1',
      _command: 'nginx -g',
      _tag: 't',
      _created: '2026-01-02T03:04:05Z',
      _team: 'x',
      _STAGE: 'prod',
    });
    await gelf.close();
  });

  it('fluentd: records, times below the second, pieces of long lines, and bytes as they are', async () => {
    const receiver = await receiveStream({ split: byValue });
    const driver = createLogDrivers({ openDatagram: openUnixDatagram }).get('fluentd') as LogDriver;
    const path = await newLog();
    const entry = (log: string): string =>
      `${JSON.stringify({ log, stream: 'stdout', time: '2026-01-02T03:04:05.000000007Z' })}\n`;
    await appendFile(path, entry('part ') + entry('of a line\n') + entry('\udcff\n'));
    const options = {
      'fluentd-address': `tcp://127.0.0.1:${receiver.port}`,
      'fluentd-sub-second-precision': 'true',
      tag: 'docker.{{.Name}}',
      labels: 'team',
    };
    await driver.tend?.(backgroundCtx(), tending(driver, path, options, Promise.resolve()));
    const [message] = receiver.messages;
    assert.ok(message);
    const [tag, records] = forwarded(message);
    assert.equal(String(tag), 'docker.web');
    const [first, second, third] = records;
    assert.deepEqual(first?.[0], { type: 0, seconds: 1_767_323_045, nanoseconds: 7 });
    const text = (record: Record<string, Buffer> | undefined) =>
      Object.fromEntries(Object.entries(record ?? {}).map(([name, value]) => [name, String(value)]));
    const { partial_id: id, ...rest } = text(first?.[1]);
    const common = { container_id: container.id, container_name: '/web', team: 'x', source: 'stdout' };
    const part = { partial_message: 'true', partial_ordinal: '1', partial_last: 'false' };
    assert.deepEqual(rest, { ...common, log: 'part ', ...part });
    assert.match(id ?? '', /^[0-9a-f]{64}$/);
    assert.deepEqual(text(second?.[1]), {
      ...common,
      log: 'of a line',
      ...part,
      partial_id: id,
      partial_ordinal: '2',
      partial_last: 'true',
    });
    assert.deepEqual(third?.[1]['log'], Buffer.from([0xff]));
    await receiver.close();
  });

  it('gelf: a message that is longer than a datagram comes in chunks', async () => {
    const receiver = await receiveUdp();
    const driver = createLogDrivers({ openDatagram: openUnixDatagram }).get('gelf') as LogDriver;
    const path = await newLog();
    const log = Array.from({ length: 2500 }, (_, index) => `${(index * 7919) % 10_007} `).join('');
    await appendFile(
      path,
      `${JSON.stringify({ log: `${log}\n`, stream: 'stdout', time: '2026-01-02T03:04:05Z' })}\n`,
    );
    const options = {
      'gelf-address': `udp://127.0.0.1:${receiver.port}`,
      'gelf-compression-type': 'none',
    };
    await driver.tend?.(backgroundCtx(), tending(driver, path, options, Promise.resolve()));
    await eventually('all chunks have come', () => gelfMessages(receiver.messages).length === 1);
    assert.ok(receiver.messages.length > 5 && receiver.messages.every((each) => each.length <= 1420));
    assert.equal(gelfMessages(receiver.messages)[0]?.['short_message'], log);
    await receiver.close();
  });

  it('journald: fields of the container, and lines of binary bytes', async () => {
    const socket = socketAt(directory);
    const receiver = await receiveUnixDatagrams(socket);
    const driver = createRemoteDriver(journaldDriver(openUnixDatagram, socket), new CompressionQueue());
    const path = await newLog();
    await appendFile(
      path,
      `${JSON.stringify({ log: 'a\udcffb\n', stream: 'stderr', time: '2026-01-02T03:04:05Z' })}\n`,
    );
    const options = { labels: 'a.b', env: 'STAGE', tag: '{{.Name}}' };
    await driver.tend?.(backgroundCtx(), tending(driver, path, options, Promise.resolve()));
    await eventually('it has come', () => receiver.messages.length === 1);
    const fields = journalFields(receiver.messages[0] as Buffer);
    assert.deepEqual(fields.get('MESSAGE'), Buffer.from([0x61, 0xff, 0x62]));
    fields.delete('MESSAGE');
    assert.deepEqual(Object.fromEntries([...fields].map(([name, value]) => [name, String(value)])), {
      CONTAINER_ID: container.id.slice(0, 12),
      CONTAINER_ID_FULL: container.id,
      CONTAINER_NAME: 'web',
      CONTAINER_TAG: 'web',
      IMAGE_NAME: 'nginx:1',
      SYSLOG_IDENTIFIER: 'web',
      A_B: 'dots',
      STAGE: 'prod',
      PRIORITY: '3',
      SYSLOG_TIMESTAMP: '2026-01-02T03:04:05Z',
    });
    await receiver.close();
  });
});
