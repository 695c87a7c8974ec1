// timeout: 300
/** Logs that are sent on, from real containers: the daemon is killed while they flow, and no line is missing at any receiver. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  byLength,
  byLine,
  byZero,
  receiveStream,
  receiveUdp,
  receiveUnixDatagrams,
  type Receiver,
  type Splitter,
} from '../helpers/log-receivers.ts';
import { unpack } from '../helpers/msgpack-reader.ts';
import { clients, eventually, startEngine, type Engine } from '../scenarios/engine.ts';

const lineCount = 6000;
/** Bursts with pauses, for some seconds. */
const talk =
  'for b in $(seq 0 59); do for i in $(seq $((b*100)) $((b*100+99))); do echo line $i; done; sleep 0.1; done';

const byValue: Splitter = (received, take) => {
  let rest = received;
  for (let found = unpack(rest); found; found = unpack(rest)) {
    take(rest.subarray(0, found.size));
    rest = rest.subarray(found.size);
  }
  return rest;
};

type Forwarded = readonly [unknown, unknown, Readonly<Record<string, Buffer>>];

const acknowledge = (message: Buffer): Buffer | undefined => {
  const value = unpack(message)?.value as Forwarded | undefined;
  const chunk = value?.[2]['chunk'];
  if (chunk === undefined) return undefined;
  return Buffer.concat([Buffer.from('\x81\xa3ack', 'latin1'), Buffer.from([0xa0 | chunk.length]), chunk]);
};

/** Numbers of the lines in what came, whatever stands around them. */
function numbersIn(messages: readonly Buffer[]): Set<number> {
  const found = new Set<number>();
  for (const message of messages) {
    for (const [, number] of message.toString('latin1').matchAll(/line (\d+)/g)) found.add(Number(number));
  }
  return found;
}

interface Way {
  readonly name: string;
  readonly receiver: Receiver;
  readonly options: readonly string[];
}

describe('logs sent on from containers', () => {
  let engine: Engine;
  const open: Receiver[] = [];
  before(async () => {
    engine = await startEngine();
  });
  after(async () => {
    for (const receiver of open) await receiver.close();
    await engine.close();
  });

  const keep = (receiver: Receiver): Receiver => {
    open.push(receiver);
    return receiver;
  };
  const logOptions = (driver: string, options: readonly string[]): string[] => [
    '--log-driver',
    driver,
    ...options.flatMap((option) => ['--log-opt', option]),
  ];

  async function openWays(): Promise<Way[]> {
    const unixPath = join(engine.folder, 'stream');
    const datagramPath = join(engine.folder, 'datagrams');
    const tcp = keep(await receiveStream({ split: byLine }));
    const udp = keep(await receiveUdp());
    const unix = keep(await receiveStream({ split: byLine, at: unixPath }));
    const datagrams = keep(await receiveUnixDatagrams(datagramPath));
    const gelf = keep(await receiveStream({ split: byZero }));
    const gelfUdp = keep(await receiveUdp());
    const fluentd = keep(await receiveStream({ split: byValue }));
    const acknowledged = keep(await receiveStream({ split: byValue, answer: acknowledge }));
    const syslog = (address: string): string[] => logOptions('syslog', [`syslog-address=${address}`]);
    const loopback = (receiver: Receiver): string => `127.0.0.1:${receiver.port}`;
    return [
      { name: 'syslog-tcp', receiver: tcp, options: syslog(`tcp://${loopback(tcp)}`) },
      { name: 'syslog-udp', receiver: udp, options: syslog(`udp://${loopback(udp)}`) },
      { name: 'syslog-unix', receiver: unix, options: syslog(`unix://${unixPath}`) },
      { name: 'syslog-unixgram', receiver: datagrams, options: syslog(`unixgram://${datagramPath}`) },
      {
        name: 'gelf-tcp',
        receiver: gelf,
        options: logOptions('gelf', [`gelf-address=tcp://${loopback(gelf)}`]),
      },
      {
        name: 'gelf-udp',
        receiver: gelfUdp,
        options: logOptions('gelf', [
          `gelf-address=udp://${loopback(gelfUdp)}`,
          'gelf-compression-type=none',
        ]),
      },
      {
        name: 'fluentd',
        receiver: fluentd,
        options: logOptions('fluentd', [`fluentd-address=${loopback(fluentd)}`]),
      },
      {
        name: 'fluentd-ack',
        receiver: acknowledged,
        options: logOptions('fluentd', [
          `fluentd-address=${loopback(acknowledged)}`,
          'fluentd-request-ack=true',
        ]),
      },
    ];
  }

  it('a daemon that is killed twice while they flow: every line arrives at every receiver, and `logs` has all', async () => {
    const ways = await openWays();
    for (const { name, options } of ways) {
      await engine.ok('docker', ['run', '-d', '--name', name, ...options, 'busybox', 'sh', '-c', talk]);
    }
    for (const part of [lineCount / 6, lineCount / 2]) {
      await eventually(`${part} lines of each`, async () =>
        ways.every(({ receiver }) => numbersIn(receiver.messages).size >= part) ? true : undefined,
      );
      await engine.kill();
      await engine.start();
    }
    await engine.ok('docker', ['wait', ...ways.map(({ name }) => name)]);
    for (const { name, receiver } of ways) {
      await eventually(`all lines at ${name}: ${engine.log().slice(-300)}`, async () =>
        numbersIn(receiver.messages).size === lineCount ? true : undefined,
      );
      const text = await engine.ok('docker', ['logs', name]);
      assert.equal(text, Array.from({ length: lineCount }, (_, index) => `line ${index}`).join('\n'), name);
    }
  });

  it('what a container wrote while the daemon was down is sent when it is back, also when it has ended', async () => {
    const receiver = keep(await receiveStream({ split: byLine }));
    const options = logOptions('syslog', [`syslog-address=tcp://127.0.0.1:${receiver.port}`]);
    const script = 'echo line 0; sleep 1; seq 1 300 | while read i; do echo line $i; done';
    const id = await engine.ok('docker', ['run', '-d', ...options, 'busybox', 'sh', '-c', script]);
    await eventually('the first line', async () => (receiver.messages.length > 0 ? true : undefined));
    await engine.kill();
    const exit = join(engine.folder, 'data/containers', id, 'exit');
    await eventually('it has ended', async () => (existsSync(exit) ? true : undefined));
    await engine.start();
    await eventually('all lines', async () => (numbersIn(receiver.messages).size === 301 ? true : undefined));
  });

  it('--rm: the log has arrived before the container is gone', async () => {
    const receiver = keep(await receiveStream({ split: byZero }));
    const options = logOptions('gelf', [`gelf-address=tcp://127.0.0.1:${receiver.port}`]);
    const script = 'seq 0 4999 | while read i; do echo line $i; done';
    await engine.ok('slipway', [
      'run',
      '--rm',
      '--name',
      'passing',
      ...options,
      'busybox',
      'sh',
      '-c',
      script,
    ]);
    await eventually('it is gone', async () =>
      (await engine.run('docker', ['inspect', 'passing'])).code === 0 ? undefined : true,
    );
    assert.equal(numbersIn(receiver.messages).size, 5000);
  });

  it('a receiver that is away holds up neither start nor end; it gets all when it comes', async () => {
    const early = await receiveStream({ split: byLine });
    await early.close();
    const options = logOptions('syslog', [`syslog-address=tcp://127.0.0.1:${early.port}`]);
    const script = 'seq 0 99 | while read i; do echo line $i; done';
    await engine.ok('docker', ['run', '--name', 'lonely', ...options, 'busybox', 'sh', '-c', script]);
    await eventually('the daemon says so', async () =>
      engine.log().includes('a log cannot be sent on for now') ? true : undefined,
    );
    const late = keep(await receiveStream({ split: byLine, at: early.port }));
    await eventually(
      'all lines',
      async () => (numbersIn(late.messages).size === 100 ? true : undefined),
      40_000,
    );
  });

  it('syslog over TLS with a certificate of its own authority, each message behind its length', async () => {
    const at = (name: string): string => join(engine.folder, name);
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '2',
        '-keyout',
        at('key.pem'),
        '-out',
        at('cert.pem'),
        '-subj',
        '/CN=localhost',
        '-addext',
        'subjectAltName=DNS:localhost',
      ],
      { stdio: 'ignore' },
    );
    const tls = { cert: readFileSync(at('cert.pem')), key: readFileSync(at('key.pem')) };
    const receiver = keep(await receiveStream({ split: byLength, tls }));
    const address = `syslog-address=tcp+tls://localhost:${receiver.port}`;
    const run = async (name: string, more: readonly string[]): Promise<void> => {
      const options = logOptions('syslog', [address, 'syslog-format=rfc5424', ...more]);
      await engine.ok('docker', [
        'run',
        '--name',
        name,
        ...options,
        'busybox',
        'echo',
        `line ${name.length}`,
      ]);
    };
    await run('tls-known', [`syslog-tls-ca-cert=${at('cert.pem')}`]);
    await eventually('the line', async () => (receiver.messages.length === 1 ? true : undefined));
    assert.match(String(receiver.messages[0]), /^<30>1 \S+Z \S+ [0-9a-f]{12} \d+ [0-9a-f]{12} - line 9\n$/);
    await run('tls-any', ['syslog-tls-skip-verify=true']);
    await eventually('the line', async () => (receiver.messages.length === 2 ? true : undefined));
    await run('tls-unknown', []);
    await eventually('the refusal', async () =>
      /a log cannot be sent on for now.*(self-signed|certificate)/.test(engine.log()) ? true : undefined,
    );
    assert.equal(receiver.messages.length, 2);
  });

  it('without a cache there is nothing to read; journald says when the host has none', async () => {
    const receiver = keep(await receiveStream({ split: byLine }));
    const options = logOptions('syslog', [
      `syslog-address=tcp://127.0.0.1:${receiver.port}`,
      'cache-disabled=true',
    ]);
    await engine.ok('docker', ['run', '--name', 'uncached', ...options, 'busybox', 'echo', 'line 1']);
    await eventually('the line', async () => (receiver.messages.length === 1 ? true : undefined));
    const { code, stderr } = await engine.run('docker', ['logs', 'uncached']);
    assert.equal(code, 1);
    assert.match(stderr, /configured logging driver does not support reading/);
    const journal = await engine.run('docker', ['run', '--log-driver', 'journald', 'busybox', 'echo', 'x']);
    if (existsSync('/run/systemd/journal/socket')) assert.equal(journal.code, 0, journal.stderr);
    else
      assert.match(
        journal.stderr,
        /daemon: failed to create task for container: failed to initialize logging driver: journald is not enabled on this host\.?\n/,
      );
  });
});

/** What dockerd 26.1 shows for the same command lines: its cache has no attributes, the journal those that were chosen, by its names. */
describe('logs --details of drivers that send', () => {
  const folder = mkdtempSync('/tmp/slip-journal-');
  let engine: Engine;
  let journal: Receiver;
  before(async () => {
    journal = await receiveUnixDatagrams(join(folder, 'socket'));
    // A /run of its own, with a journal's socket in it.
    const script =
      'mount -t tmpfs tmpfs /run && mkdir -p "$0" && mount --bind "$1" "$0" && shift && exec "$@"';
    const inside = ['sh', '-c', script, '/run/systemd/journal', folder];
    engine = await startEngine({ launcher: ['unshare', '--mount', ...inside] });
  });
  after(async () => {
    await engine.close();
    await journal.close();
    rmSync(folder, { recursive: true });
  });

  it('are those of dockerd', async () => {
    const chosen = ['labels=com.x', 'env=FOO,_B.c', 'tag={{.Name}}'];
    const ways: readonly (readonly [string, readonly string[], string])[] = [
      ['journald', [], 'B_C=x%2Cy%3Dz,COM_X=lv,FOO=bar out'],
      ['syslog', ['syslog-address=udp://127.0.0.1:9'], ' out'],
      ['gelf', ['gelf-address=udp://127.0.0.1:9'], ' out'],
      ['fluentd', ['fluentd-address=127.0.0.1:9', 'fluentd-async=true'], ' out'],
      ['json-file', [], 'FOO=bar,_B.c=x%2Cy%3Dz,com.x=lv,tag=details-json-file out'],
    ];
    for (const [driver, own, expected] of ways) {
      const name = `details-${driver}`;
      const log = [...chosen, ...own].flatMap((option) => ['--log-opt', option]);
      const container = [
        '--label',
        'com.x=lv',
        '-e',
        'FOO=bar',
        '-e',
        '_B.c=x,y=z',
        'busybox',
        'echo',
        'out',
      ];
      await engine.ok('docker', ['run', '--name', name, '--log-driver', driver, ...log, ...container]);
      for (const client of clients) {
        const { stdout } = await engine.run(client, ['logs', '--details', name]);
        assert.equal(stdout, `${expected}\n`, `${client} ${driver}`);
      }
    }
  });
});
