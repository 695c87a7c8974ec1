import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseCommand } from './options.ts';

const folder = mkdtempSync(join(tmpdir(), 'slip-config-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

function parsed(content: unknown, ...args: string[]) {
  const path = join(folder, `${++files}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  const command = parseCommand([`--config-file=${path}`, ...args]);
  if (command.run !== 'daemon') throw new Error('no daemon');
  return command.options;
}

test('the file has the flags under dockerd’s names', () => {
  const options = parsed(
    {
      'userns-remap': 'default',
      'data-root': '/srv/slipway',
      debug: true,
      'no-new-privileges': false,
      hosts: ['unix:///run/a.sock', 'tcp://127.0.0.1:1'],
      labels: ['a=b'],
      mtu: 1400,
      'log-opts': { 'max-size': '1m', 'max-file': 3 },
      runtimes: { other: { path: '/opt/other' } },
      'default-address-pools': [{ base: '10.10.0.0/16', size: 24 }],
      'default-ulimits': { nofile: { Name: 'nofile', Soft: 100, Hard: 200 } },
      proxies: { 'http-proxy': 'http://proxy:1' },
      'exec-opts': ['native.cgroupdriver=systemd'],
      'fix-cgroups': false,
    },
    '--instance=one',
  );
  const { containerDefaults: defaults } = options;
  assert.deepEqual(
    [options.dataRoot, options.logLevel, options.hosts, options.mtu, options.instance, options.fixCgroups],
    ['/srv/slipway', 'debug', ['unix:///run/a.sock', 'tcp://127.0.0.1:1'], 1400, 'one', false],
  );
  assert.deepEqual(options.logOptions, { 'max-size': '1m', 'max-file': '3' });
  assert.deepEqual(options.runtimes, [{ name: 'other', path: '/opt/other' }]);
  assert.deepEqual(options.addressPools, [{ base: '10.10.0.0/16', size: 24 }]);
  assert.deepEqual(options.proxies, { HTTP_PROXY: 'http://proxy:1' });
  assert.deepEqual(defaults.ulimits, [{ Name: 'nofile', Soft: 100, Hard: 200 }]);
  assert.deepEqual(
    [defaults.usernsRemap, defaults.cgroupDriver, defaults.noNewPrivileges],
    ['default', 'systemd', false],
  );
});

test('an empty file says nothing, and without one the flags hold alone', () => {
  assert.equal(parsed('').instance, 'slipway');
  assert.equal(parsed('{}').instance, 'slipway');
  assert.throws(() => parseCommand([`--config-file=${join(folder, 'nothing')}`]), {
    message: /^unable to configure the daemon with file .*nothing: ENOENT/,
  });
});

test('mistakes are told in dockerd’s words', () => {
  const refusals: readonly (readonly [unknown, RegExp])[] = [
    [
      { 'live-restor': true, x: 1 },
      /the following directives don't match any configuration option: live-restor, x$/,
    ],
    [{ label: ['a=b'] }, /don't match any configuration option: label$/],
    [{ 'config-file': '/x' }, /don't match any configuration option: config-file$/],
    [{ proxies: { ftp: 'x' } }, /don't match any configuration option: ftp$/],
    [
      { mtu: 1400, hosts: ['fd://'] },
      /specified both as a flag and in the configuration file: mtu: \(from flag: mtu\), hosts: \(from flag: host\)$/,
    ],
    ['{', /unable to configure the daemon with file .*JSON/],
    ['[]', /its content must be an object$/],
    [{ debug: 'yes' }, /debug must be true or false$/],
    [{ labels: 'a=b' }, /labels must be a list$/],
    [{ 'log-opts': ['a'] }, /log-opts must be an object$/],
    [
      { runtimes: { a: { path: '/a', runtimeArgs: [] } } },
      /runtimes\.a must be an object with a path alone$/,
    ],
    [{ bip: {} }, /bip must be a text or a number$/],
  ];
  for (const [content, message] of refusals)
    assert.throws(() => parsed(content, '--mtu=1500', '-H', 'unix:///x'), { kind: 'invalid', message });
});
