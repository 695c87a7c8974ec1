import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerConfig, HostConfig } from '../../core/model/container-spec.ts';
import { checkName, randomName } from './names.ts';
import { parseSignal } from './signals.ts';
import { validateCreate } from './validate.ts';
import { writableSize } from './writable-size.ts';

const unlimited = "--storage-opt is supported only for overlay over xfs with 'pquota' mount option: no";
const facts = { cpus: 2, runtimes: ['crun'], unlimited };
const host = (hostConfig: HostConfig): readonly [ContainerConfig, HostConfig] => [{}, hostConfig];

const refused: readonly (readonly [readonly [ContainerConfig, HostConfig], string | RegExp])[] = [
  [host({ Memory: 5_000_000 }), 'Minimum memory limit allowed is 6MB'],
  [
    host({ Memory: 10_000_000, MemorySwap: 7_000_000 }),
    /^Minimum memoryswap limit should be larger than memory limit/,
  ],
  [host({ MemorySwap: 10_000_000 }), /^You should always set the Memory limit when using Memoryswap limit/],
  [host({ NanoCpus: 3e9 }), 'Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available'],
  [
    host({ NanoCpus: 1e9, CpuQuota: 1000 }),
    'Conflicting options: Nano CPUs and CPU Quota cannot both be set',
  ],
  [host({ CpusetCpus: 'a' }), 'Invalid value a for cpuset cpus: invalid format: a'],
  [host({ CpusetMems: '1-' }), 'Invalid value 1- for cpuset mems: invalid format: 1-'],
  [
    host({ CpuRealtimeRuntime: 200, CpuRealtimePeriod: 100 }),
    'cpu real-time runtime cannot be higher than cpu real-time period',
  ],
  [host({ IOMaximumIOps: 5 }), /^Invalid QoS settings: linux does not support configuration of maximum IOPs/],
  [host({ IOMaximumBandwidth: 5 }), /^Invalid QoS settings/],
  [host({ Isolation: 'hyperv' }), `Invalid isolation: "hyperv" - linux only supports 'default'`],
  [host({ StorageOpt: { size: '10m' } }), /supported only for overlay over xfs with 'pquota'/],
  [host({ StorageOpt: { colour: 'red' } }), 'Unknown option colour'],
  [host({ BlkioWeight: 5 }), 'Range of blkio weight is from 10 to 1000'],
  [
    host({ AutoRemove: true, RestartPolicy: { Name: 'always' } }),
    `can't create 'AutoRemove' container with restart policy`,
  ],
  [
    host({ RestartPolicy: { Name: 'always', MaximumRetryCount: 3 } }),
    /maximum retry count can only be used with 'on-failure'/,
  ],
  [host({ PortBindings: { '80/foo': [] } }), 'invalid port specification: "80/foo"'],
  [host({ PortBindings: { '80/tcp': [{ HostPort: '70000' }] } }), 'invalid port specification: "70000"'],
  [host({ PidMode: 'container:' }), 'invalid PID mode: container:'],
  [host({ NetworkMode: 'container:x', Dns: ['1.1.1.1'] }), 'conflicting options: dns and the network mode'],
  [host({ PortBindings: { 'x/tcp': [] } }), 'invalid port specification: "x"'],
  [
    host({ NetworkMode: 'host', Links: ['a'] }),
    /^conflicting options: host type networking can't be used with links/,
  ],
  [
    host({ Annotations: { '': 'x' } }),
    'invalid Annotations: the empty string is not permitted as an annotation key',
  ],
  [host({ Runtime: 'gvisor' }), 'unknown or invalid runtime name: gvisor'],
  [host({ OomScoreAdj: 2000 }), 'Invalid value 2000, range for oom score adj is [-1000, 1000]'],
  [
    [{ WorkingDir: 'relative' }, {}],
    `the working directory 'relative' is invalid, it needs to be an absolute path`,
  ],
  [
    [{ ExposedPorts: { '80/tcp': {} } }, { NetworkMode: 'container:web' }],
    'conflicting options: port exposing and the container type network mode',
  ],
  [host({ ExtraHosts: ['a:zz'] }), 'invalid IP address in add-host: "zz"'],
  [host({ ExtraHosts: ['a:[fd00::1]'] }), 'invalid IP address in add-host: "[fd00::1]"'],
  [host({ ExtraHosts: [':192.0.2.1'] }), 'bad format for add-host: ":192.0.2.1"'],
  [[{ Env: ['=x'] }, {}], 'invalid environment variable: =x'],
  [[{ StopSignal: 'SIGNONE' }, {}], 'invalid signal: SIGNONE'],
  [[{ Healthcheck: { Interval: 10 } }, {}], 'Interval in Healthcheck cannot be less than 1ms'],
];

for (const [[config, hostConfig], message] of refused) {
  test(`refused: ${message}`, () => {
    assert.throws(() => validateCreate(config, hostConfig, facts), { kind: 'invalid', message });
  });
}

test('a size of the root filesystem, where something can hold it', () => {
  const able = { ...facts, unlimited: undefined };
  for (const size of ['10m', '1.5GB', '0']) validateCreate({}, { StorageOpt: { SIZE: size } }, able);
  assert.throws(() => validateCreate({}, { StorageOpt: { size: 'much' } }, able), {
    kind: 'invalid',
    message: "invalid size: 'much'",
  });
  const room = { options: { defaultWritableSize: 30 } } as Parameters<typeof writableSize>[0];
  assert.equal(writableSize(room, { StorageOpt: { size: '1k' } }), 1024);
  assert.equal(writableSize(room, { StorageOpt: { size: '0' } }), undefined);
  assert.equal(writableSize(room, {}), 30);
});

test('an ordinary container passes', () => {
  const hostConfig = {
    Memory: 64e6,
    MemorySwap: 128e6,
    NanoCpus: 5e8,
    PortBindings: { '80/tcp': [{ HostPort: '8080-8090' }], '53/udp': null },
    ExtraHosts: ['a:192.0.2.1', 'b:fd00::1', 'c:host-gateway', 'd=192.0.2.4'],
  };
  validateCreate({ Env: ['A=b', 'C'], WorkingDir: '/x', StopSignal: 'SIGINT' }, hostConfig, facts);
});

test('names', () => {
  assert.equal(checkName('/web-1.a_b'), 'web-1.a_b');
  for (const bad of ['a', '-ab', 'a b', 'a/b', '../x', 'a\0b', '', 'a'.repeat(256)]) {
    assert.throws(() => checkName(bad), { kind: 'invalid', message: /^Invalid container name \(/ });
  }
});

test('made-up names pass as names, avoid taken ones and end in the fallback', () => {
  assert.equal(checkName(randomName(() => false, 'x')).includes('_'), true);
  assert.equal(
    randomName(() => true, 'the-id'),
    'the-id',
  );
});

test('signals by name and number', () => {
  assert.equal(parseSignal('SIGTERM'), 15);
  assert.equal(parseSignal('kill'), 9);
  assert.equal(parseSignal('37'), 37);
  assert.equal(parseSignal('SIGRTMIN+3'), 37);
  for (const bad of ['0', '65', 'SIGX', '-9', 'RTMIN+99'])
    assert.throws(() => parseSignal(bad), { kind: 'invalid' });
});
