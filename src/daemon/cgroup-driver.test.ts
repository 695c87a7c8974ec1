import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeUnit, cgroupHome, checkSystemd, drivenBy, parseExecOptions } from './cgroup-driver.ts';

test('the driver is what the options say, and dockerd’s words for what is none', () => {
  assert.equal(parseExecOptions([]), 'cgroupfs');
  assert.equal(parseExecOptions(['native.cgroupdriver=systemd']), 'systemd');
  assert.equal(parseExecOptions(['native.cgroupdriver=systemd', 'native.cgroupdriver=cgroupfs']), 'cgroupfs');
  const refusals: readonly (readonly [string, RegExp])[] = [
    ['native.cgroupdriver=none', /^native\.cgroupdriver option none not supported$/],
    ['native.cgroupdriver', /^unable to parse key\/value option: native\.cgroupdriver$/],
    ['native.umask=normal', /unknown option native\.umask=normal/],
  ];
  for (const [option, message] of refusals) assert.throws(() => parseExecOptions([option]), { message });
});

test('systemd is refused in a sentence where it cannot be asked', () => {
  const has =
    (...paths: string[]) =>
    (path: unknown): boolean =>
      paths.includes(String(path));
  const both = has('/run/systemd/system', '/run/dbus/system_bus_socket');
  checkSystemd({ version: 2 }, both);
  assert.throws(() => checkSystemd({ version: 2 }, has()), { message: /systemd does not run this host/ });
  assert.throws(() => checkSystemd({ version: 2 }, has('/run/systemd/system')), {
    message: /install and start dbus/,
  });
  assert.throws(() => checkSystemd({ version: 'hybrid' }, both), { message: /only with cgroup v2 alone/ });
});

test('containers lie in a directory of the instance, or are scopes of a slice', () => {
  assert.deepEqual(cgroupHome('cgroupfs', 'one', undefined), { cgroupParent: '/one' });
  assert.deepEqual(cgroupHome('systemd', 'one', undefined), {
    cgroupParent: 'system.slice',
    scopePrefix: 'one',
  });
  assert.throws(() => cgroupHome('systemd', 'one', '/one'), {
    message: /should be a valid slice named as "xxx.slice"/,
  });
  assert.deepEqual(drivenBy('systemd', [{ name: 'crun', path: '/crun' }]), [
    { name: 'crun', path: '/crun', args: ['--systemd-cgroup'] },
  ]);
});

test('limits of a scope that ended meanwhile are no failure; what systemd refuses is one, in its words', async () => {
  const change = { unit: 'a.scope', properties: ['MemoryMax=1'] };
  const says = (status: number, stderr: string) => async () => ({ status, stdout: '', stderr });
  await changeUnit(change, says(0, ''));
  await changeUnit(change, says(1, 'Failed to set unit properties on a.scope: Unit a.scope not found.\n'));
  await assert.rejects(changeUnit(change, says(1, 'Access denied\n')), {
    kind: 'conflict',
    message: 'systemd does not take the limits of a.scope: Access denied',
  });
});
