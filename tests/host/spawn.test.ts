/** What a spawned child gets, held against literal lists. */

import assert from 'node:assert/strict';
import { spawn as nodeSpawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createHost } from '../../src/host/index.ts';

const host = createHost();
const directory = mkdtempSync(join(tmpdir(), 'slip-spawn-'));
after(async () => {
  await host.close();
  rmSync(directory, { recursive: true, force: true });
});

/** The output of a program, with `fds` beside its stdout. */
async function outputOf(
  path: string,
  args: string[],
  more: { fds?: Record<number, number>; cwd?: string; env?: string[] } = {},
): Promise<string> {
  const file = join(directory, 'out');
  const out = openSync(file, 'w');
  try {
    const { cwd, env = [], fds = {} } = more;
    const where = cwd === undefined ? {} : { cwd };
    const { pid, pidfd } = await host.spawn({
      path,
      args: [path, ...args],
      env,
      fds: { 1: out, ...fds },
      ...where,
    });
    host.closeFd(pidfd);
    assert.equal(await host.waitChild(pid), 0);
  } finally {
    closeSync(out);
  }
  return readFileSync(file, 'utf8');
}

test('a child has the descriptors it was given and no others', async () => {
  const inherited = openSync('/etc/hostname', 'r');
  // ls has one of its own, the directory that it lists: the lowest free number.
  assert.equal(await outputOf('/bin/ls', ['/proc/self/fd']), '0\n1\n2\n3\n');
  assert.equal(await outputOf('/bin/ls', ['/proc/self/fd'], { fds: { 5: inherited } }), '0\n1\n2\n3\n5\n');
  assert.equal(await outputOf('/bin/readlink', ['/proc/self/fd/0']), '/dev/null\n');
  assert.equal(await outputOf('/bin/readlink', ['/proc/self/fd/2']), '/dev/null\n');
  closeSync(inherited);
});

test('descriptors that stand where others shall go are swapped, not overwritten', async () => {
  const [a, b] = [openSync('/etc/hostname', 'r'), openSync('/etc/hosts', 'r')];
  const text = await outputOf('/bin/readlink', [`/proc/self/fd/${a}`, `/proc/self/fd/${b}`], {
    fds: { [a]: b, [b]: a },
  });
  assert.equal(text, `${realpathSync('/etc/hosts')}\n${realpathSync('/etc/hostname')}\n`);
  assert.equal(await outputOf('/bin/readlink', ['/proc/self/fd/9'], { fds: { 9: a } }), '/etc/hostname\n');
  closeSync(a);
  closeSync(b);
});

test('no signal is blocked, ignored or caught', async () => {
  const text = await outputOf('/bin/cat', ['/proc/self/status']);
  const signals = text.split('\n').filter((line) => /^Sig(Blk|Ign|Cgt)/.test(line));
  // 32 and 33 are glibc's own, which its posix_spawn ignores in every child.
  assert.deepEqual(signals.join(' ').split(/\s+/), [
    'SigBlk:',
    '0000000000000000',
    'SigIgn:',
    '0000000180000000',
    'SigCgt:',
    '0000000000000000',
  ]);
});

const limitOf = async (): Promise<string[]> =>
  (await outputOf('/bin/grep', ['open files', '/proc/self/limits'])).trim().split(/\s+/).slice(3, 5);

test('the soft limit of descriptors is the recorded one, and ours stays as it was', async () => {
  const own = /open files\s+(\d+)\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'));
  const [, soft, hard = ''] = own ?? [];
  assert.deepEqual(await limitOf(), ['1024', hard]);
  process.env['SLIPWAY_NOFILE_SOFT'] = '777';
  assert.deepEqual(await limitOf(), ['777', hard]);
  process.env['SLIPWAY_NOFILE_SOFT'] = 'unlimited';
  assert.deepEqual(await limitOf(), [hard, hard]);
  delete process.env['SLIPWAY_NOFILE_SOFT'];
  assert.equal(/open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1], soft);
});

test('a daemon with more open descriptors than that limit still spawns with it', async () => {
  const many = Array.from({ length: 1200 }, () => openSync('/dev/null', 'r'));
  // Set from outside after the start here, so a program that lives long enough to be told.
  const { pid, pidfd } = await host.spawn({ path: '/bin/sleep', args: ['sleep', '60'], env: [], fds: {} });
  assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /open files\s+1024\s/);
  host.signalPidfd(pidfd, 9);
  await host.waitChild(pid);
  host.closeFd(pidfd);
  for (const fd of many) closeSync(fd);
});

test('environment, directory and session are as asked', async () => {
  assert.equal(await outputOf('/usr/bin/env', [], { env: ['A=b', 'C=d e'] }), 'A=b\nC=d e\n');
  assert.equal(await outputOf('/bin/pwd', [], { cwd: '/proc' }), '/proc\n');
  const sessionOf = (pid: number): number =>
    Number(
      readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ')[3],
    );
  for (const newSession of [true, false]) {
    const { pid, pidfd } = await host.spawn({
      path: '/bin/sleep',
      args: ['sleep', '60'],
      env: [],
      fds: {},
      newSession,
    });
    assert.equal(sessionOf(pid) === pid, newSession);
    assert.equal(readlinkSync(`/proc/${pid}/ns/net`), readlinkSync('/proc/self/ns/net'));
    host.signalPidfd(pidfd, 9);
    assert.equal(await host.waitChild(pid), 137);
    host.closeFd(pidfd);
  }
});

test('a directory or a descriptor that is not there fails the spawn and leaves no child', async () => {
  const base = { path: '/bin/true', args: ['true'], env: [] };
  const code = (wanted: string) => (error: Error) => (error.cause as { code?: string }).code === wanted;
  await assert.rejects(host.spawn({ ...base, fds: {}, cwd: '/nonexistent' }), code('ENOENT'));
  await assert.rejects(host.spawn({ ...base, fds: { 3: 999_999 } }), code('EBADF'));
});

test('waiting for our children leaves those of libuv alone, and the other way round', async () => {
  const theirs = Array.from({ length: 10 }, (_, at) => {
    const child = nodeSpawn('/bin/sh', ['-c', `exit ${at}`]);
    return new Promise<number | null>((resolve) => child.on('exit', resolve));
  });
  const ours = Array.from({ length: 10 }, async (_, at) => {
    const { pid, pidfd } = await host.spawn({
      path: '/bin/sh',
      args: ['sh', '-c', `exit ${at}`],
      env: [],
      fds: {},
    });
    host.closeFd(pidfd);
    return host.waitChild(pid);
  });
  const expected = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  assert.deepEqual(await Promise.all(ours), expected);
  assert.deepEqual(await Promise.all(theirs), expected);
});

test('one end of a socket pair goes to a child, the other is a stream here', async () => {
  const [near, far] = host.socketpair();
  const { pid, pidfd } = await host.spawn({
    path: '/bin/cat',
    args: ['cat'],
    env: [],
    fds: { 0: far, 1: far },
  });
  host.closeFd(far);
  host.closeFd(pidfd);
  const socket = new Socket({ fd: near, readable: true, writable: true, allowHalfOpen: true });
  socket.end('through the pair');
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  assert.equal(text, 'through the pair');
  assert.equal(await host.waitChild(pid), 0);
});
