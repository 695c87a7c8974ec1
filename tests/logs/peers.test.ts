/** Real receivers: Debian's rsyslogd and the host's journald, each unpacked or started beside the system and told to listen elsewhere. */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { backgroundCtx } from '../../src/core/ctx.ts';
import type { LogDriver } from '../../src/core/ports/log-driver.ts';
import { openUnixDatagram } from '../../src/host/index.ts';
import { createLogDrivers } from '../../src/logs/index.ts';
import { journaldDriver } from '../../src/logs/journald/index.ts';
import { createRemoteDriver } from '../../src/logs/ship/remote-driver.ts';
import { CompressionQueue } from '../../src/logs/spool/compress.ts';
import { unpackRsyslog } from '../peers/rsyslog.ts';
import { eventually } from '../scenarios/engine.ts';

const run = promisify(execFile);
const container = {
  id: '0123456789abcdef'.repeat(4),
  name: 'web',
  imageId: 'sha256:fedcba9876543210',
  imageName: 'nginx:1',
  createdAt: '2026-01-02T03:04:05Z',
  path: 'nginx',
  args: [],
  labels: { team: 'x' },
  env: [],
  logPath: '/log',
};

function rsyslogConfig(folder: string, modules: string): string {
  return `
global(workDirectory="${folder}")
module(load="${modules}/imtcp.so")
module(load="${modules}/imuxsock.so" SysSock.Use="off")
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="${folder}/port")
input(type="imuxsock" socket="${folder}/datagrams")
template(name="fields" type="string" string="%syslogfacility-text%.%syslogseverity-text%|%hostname%|%programname%|%msg%\\n")
*.* action(type="omfile" file="${folder}/out" template="fields")
`;
}

describe('logs at real receivers', () => {
  let folder: string;
  const children: ChildProcess[] = [];
  before(() => {
    folder = mkdtempSync('/tmp/slip-');
  });
  after(async () => {
    for (const child of children) {
      const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
      child.kill('SIGTERM');
      await gone;
    }
    rmSync(folder, { recursive: true });
  });

  let count = 0;
  const send = async (driver: LogDriver, options: Readonly<Record<string, string>>): Promise<void> => {
    const path = join(folder, `${(count += 1)}-json.log`);
    const entry = (log: string, stream: string): string =>
      `${JSON.stringify({ log, stream, time: '2026-01-02T03:04:05.5Z' })}\n`;
    await appendFile(path, entry('hello wörld\n', 'stdout') + entry('to stderr\n', 'stderr'));
    await driver.tend?.(backgroundCtx(), {
      path,
      options,
      plan: driver.validate(options),
      container,
      ended: Promise.resolve(),
    });
  };

  it('rsyslogd takes every form over TCP and unix datagrams', async () => {
    const unpacked = await unpackRsyslog();
    const libraries = join(unpacked, 'usr/lib/x86_64-linux-gnu');
    const config = join(folder, 'rsyslog.conf');
    writeFileSync(config, rsyslogConfig(folder, join(libraries, 'rsyslog')));
    const args = ['-n', '-f', config, '-i', join(folder, 'pid'), '-M', join(libraries, 'rsyslog')];
    const child = spawn(join(unpacked, 'usr/sbin/rsyslogd'), args, {
      stdio: 'ignore',
      env: { LD_LIBRARY_PATH: libraries },
    });
    children.push(child);
    const port = await eventually('rsyslogd listens', async () => {
      const file = join(folder, 'port');
      const text = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
      return text === '' || !existsSync(join(folder, 'datagrams')) ? undefined : text;
    });
    const driver = createLogDrivers({ openDatagram: openUnixDatagram }).get('syslog') as LogDriver;
    const host = execFileSync('hostname').toString().trim();
    const ways: readonly (readonly [string, string, string])[] = [
      [`tcp://127.0.0.1:${port}`, 'rfc3164', host],
      [`tcp://127.0.0.1:${port}`, 'rfc5424', host],
      [`tcp://127.0.0.1:${port}`, 'rfc5424micro', host],
      [`unixgram://${folder}/datagrams`, '', host],
    ];
    for (const [address, format] of ways) {
      await send(driver, {
        'syslog-address': address,
        'syslog-format': format,
        'syslog-facility': 'local3',
        tag: `{{.Name}}-${format === '' ? 'plain' : format}`,
      });
    }
    const expected = ways.flatMap(([, format, from]) => {
      const program = `web-${format === '' ? 'plain' : format}`;
      return [`local3.info|${from}|${program}|hello wörld`, `local3.err|${from}|${program}|to stderr`];
    });
    const lines = await eventually('all messages', async () => {
      const file = join(folder, 'out');
      const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
      const found = text.split('\n').filter((line) => line.startsWith('local3.'));
      return found.length >= expected.length ? found : undefined;
    });
    // rsyslogd keeps the space that RFC 3164 has in front of the text.
    assert.deepEqual(lines.map((line) => line.replace('| ', '|')).sort(), expected.toSorted());
  });

  const program = '/lib/systemd/systemd-journald';
  const skip = existsSync(program) ? false : 'this host has no journald';
  it('journald takes entries with their fields', { skip }, async () => {
    const [sockets, logs] = ['systemd', 'log'].map((name) => join(folder, name)) as [string, string];
    mkdirSync(join(sockets, 'journal'), { recursive: true });
    mkdirSync(logs);
    // Its directories are ours, in a mount namespace of its own; the system's journal is not touched.
    const script = `mkdir -p /run/systemd /run/log && mount --bind ${sockets} /run/systemd && mount --bind ${logs} /run/log && exec ${program}`;
    children.push(spawn('unshare', ['--mount', 'sh', '-c', script], { stdio: 'ignore' }));
    const socket = join(sockets, 'journal/socket');
    await eventually('journald listens', async () => (existsSync(socket) ? true : undefined));
    const driver = createRemoteDriver(journaldDriver(openUnixDatagram, socket), new CompressionQueue());
    await send(driver, { labels: 'team', tag: '{{.Name}}' });
    const read = async (): Promise<Record<string, string>[]> => {
      const args = ['-D', join(logs, 'journal'), '-o', 'json', 'CONTAINER_NAME=web'];
      const { stdout } = await run('journalctl', args).catch(() => ({ stdout: '' }));
      const lines = stdout.split('\n').filter((line) => line !== '');
      return lines.map((line) => JSON.parse(line) as Record<string, string>);
    };
    const entries = await eventually('both entries', async () => {
      const found = await read();
      return found.length === 2 ? found : undefined;
    });
    const names = ['MESSAGE', 'PRIORITY', 'CONTAINER_ID', 'CONTAINER_TAG', 'SYSLOG_IDENTIFIER', 'TEAM'];
    const pick = (entry: Record<string, string>) => names.map((name) => entry[name]);
    assert.deepEqual(entries.map(pick), [
      ['hello wörld', '6', container.id.slice(0, 12), 'web', 'web', 'x'],
      ['to stderr', '3', container.id.slice(0, 12), 'web', 'web', 'x'],
    ]);
  });
});
