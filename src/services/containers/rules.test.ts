import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutMountTargets } from './changes.ts';
import { parseBlkioV1, parseIoStat, parseNetDev, parseSystemUsage } from './cgroup-stats.ts';
import { containerEnv, overlayEnv } from './environment.ts';
import { goMode } from './archive.ts';
import { commandFailure, startFailure } from './start-errors.ts';
import { humanDuration } from './status-text.ts';
import { parsePs } from './top.ts';
import { resolveUser } from './user-files.ts';
import type { ContainerRecord } from '../../core/model/container.ts';

const passwd = 'root:x:0:0:root:/root:/bin/sh\n# comment\nbroken\nweb:x:33:33::/var/www:\nnum:x:7:8::/n:\n';
const group = 'root:x:0:\nwheel:x:10:root,web\nweb:x:33:\nextra:x:50:\n';
const user = (text: string, groupAdd: readonly string[] = []): ReturnType<typeof resolveUser> =>
  resolveUser({ user: text, groupAdd, passwd, group });

test('users by name, number, with and without group', () => {
  assert.deepEqual(user(''), { uid: 0, gid: 0, additionalGids: [0, 10], home: '/root' });
  assert.deepEqual(user('web'), { uid: 33, gid: 33, additionalGids: [33, 10], home: '/var/www' });
  assert.deepEqual(user('7'), { uid: 7, gid: 8, additionalGids: [8], home: '/n' });
  assert.deepEqual(user('1000'), { uid: 1000, gid: 0, additionalGids: [0], home: '/' });
  assert.deepEqual(user('web:extra'), { uid: 33, gid: 50, additionalGids: [50], home: '/var/www' });
  assert.deepEqual(user('1:2', ['extra', '99']), { uid: 1, gid: 2, additionalGids: [2, 50, 99], home: '/' });
  assert.throws(() => user('nobody'), {
    message: 'unable to find user nobody: no matching entries in passwd file',
  });
  assert.throws(() => user('web:none'), {
    message: 'unable to find group none: no matching entries in group file',
  });
  assert.throws(() => user('4294967295'), { message: 'uids and gids must be in range 0-2147483647' });
});

test('environment: later entries win, a bare key takes away, HOME comes when nobody set it', () => {
  assert.deepEqual(overlayEnv(['A=1', 'B=2'], ['B=3', 'A', 'C=4']), ['B=3', 'C=4']);
  const record = { config: { Env: ['X=1'], Hostname: 'h' }, hostConfig: {} } as unknown as ContainerRecord;
  assert.deepEqual(containerEnv(record, ['L=1'], '/home/u').slice(1), [
    'HOSTNAME=h',
    'L=1',
    'X=1',
    'HOME=/home/u',
  ]);
});

test('failures of a start in the words that clients look for', () => {
  const of = (text: string, command: string): unknown => {
    const { error, exitCode } = startFailure(new Error(text), command, 'crun');
    return [exitCode, error.kind, error.message.split('process: ')[1]];
  };
  assert.deepEqual(of('executable file `nosuch` not found in $PATH: No such file or directory', 'nosuch'), [
    127,
    'invalid',
    'exec: "nosuch": executable file not found in $PATH: unknown',
  ]);
  assert.deepEqual(of('executable file `/x` not found: No such file or directory', '/x'), [
    127,
    'invalid',
    'exec: "/x": stat /x: no such file or directory: unknown',
  ]);
  assert.deepEqual(of('open executable: Permission denied', '/etc/passwd'), [
    126,
    'invalid',
    'exec: "/etc/passwd": permission denied: unknown',
  ]);
  // crun, about a profile that is not loaded: nothing of it is about the command.
  const crun = 'write file `/proc/thread-self/attr/apparmor/exec`: No such file or directory';
  assert.deepEqual(of(crun, 'true'), [
    127,
    'internal',
    'error during container init: unable to apply apparmor profile: apparmor failed to apply profile: write /proc/self/attr/apparmor/exec: no such file or directory: unknown',
  ]);
  assert.equal(startFailure(new Error('mount: Not a directory'), 'sh', 'crun').exitCode, 127);
  const cancelled = startFailure(
    new Error('the start of container c0ffee was cancelled'),
    'sh',
    'crun',
  ).error;
  assert.deepEqual(
    [cancelled.kind, cancelled.message],
    ['conflict', 'the start of container c0ffee was cancelled'],
  );
  const logging = new Error('failed to initialize logging driver: journald is not enabled on this host');
  const { message } = startFailure(logging, 'sh', 'crun').error;
  assert.equal(message, `failed to create task for container: ${logging.message}`);
  assert.equal(startFailure(new Error('cgroup is full'), 'sh', 'crun').error.kind, 'internal');
  assert.equal(commandFailure('cannot mount /a: no such device', 'sh'), undefined);
});

test('durations as people say them', () => {
  const expected: readonly (readonly [number, string])[] = [
    [0.5, 'Less than a second'],
    [1, '1 second'],
    [59, '59 seconds'],
    [61, 'About a minute'],
    [180, '3 minutes'],
    [3600, 'About an hour'],
    [7200, '2 hours'],
    [49 * 3600, '2 days'],
    [15 * 86_400, '2 weeks'],
    [90 * 86_400, '3 months'],
    [800 * 86_400, '2 years'],
  ];
  for (const [seconds, words] of expected) assert.equal(humanDuration(seconds), words);
});

test('ps output is cut down to the container; the command keeps its spaces', () => {
  const output = 'UID          PID  CMD\nroot          10  sleep 5  x\nroot          11  other\n';
  assert.deepEqual(parsePs(output, new Set([10])), {
    titles: ['UID', 'PID', 'CMD'],
    processes: [['root', '10', 'sleep 5 x']],
  });
  assert.throws(() => parsePs('USER\nroot\n', new Set()), {
    message: `Couldn't find PID field in ps output`,
  });
});

test('counters of the kernel', () => {
  assert.deepEqual(parseBlkioV1('8:0 Read 4096\nTotal 4096\n'), [
    { major: 8, minor: 0, op: 'Read', value: 4096 },
  ]);
  assert.deepEqual(parseIoStat('8:16 rbytes=1 wbytes=2 rios=3 wios=4\n'), [
    { major: 8, minor: 16, op: 'read', value: 1 },
    { major: 8, minor: 16, op: 'write', value: 2 },
  ]);
  const dev =
    'Inter-| Receive\n face |bytes\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0: 10 2 0 1 0 0 0 0 20 3 0 4 0 0 0 0\n';
  assert.deepEqual(Object.keys(parseNetDev(dev)), ['eth0']);
  assert.equal(parseNetDev(dev)['eth0']?.txDropped, 4);
  assert.equal(parseSystemUsage('cpu  1 2 3 4 5 6 7 8 9 10\n'), 280_000_000);
});

test('modes as Go has them', () => {
  assert.equal(goMode(0o100644), 0o644);
  assert.equal(goMode(0o040755), 2 ** 31 + 0o755);
  assert.equal(goMode(0o104755), 2 ** 23 + 0o755);
  assert.equal(goMode(0o120777), 2 ** 27 + 0o777);
});

test('changes leave out what the engine mounts over', () => {
  const changes = [
    { path: '/dev', kind: 'added' as const },
    { path: '/etc', kind: 'modified' as const },
    { path: '/etc/hosts', kind: 'added' as const },
    { path: '/tmp', kind: 'modified' as const },
    { path: '/tmp/x', kind: 'added' as const },
  ];
  assert.deepEqual(
    withoutMountTargets(changes).map((change) => change.path),
    ['/tmp', '/tmp/x'],
  );
  const own = [...changes, { path: '/etc/mine', kind: 'added' as const }];
  assert.deepEqual(
    withoutMountTargets(own).map((change) => change.path),
    ['/etc', '/tmp', '/tmp/x', '/etc/mine'],
  );
});
