import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notFound } from '../../core/errors.ts';
import type { ContainerConfig, HostConfig } from '../../core/model/container-spec.ts';
import { parseMountMode } from './mount-mode.ts';
import { planMounts } from './plan-mounts.ts';

const plan = (hostConfig: HostConfig, config: ContainerConfig = {}): ReturnType<typeof planMounts> =>
  planMounts({
    config,
    hostConfig,
    resolve: (ref) => {
      throw notFound(`No such container: ${ref}`);
    },
  });

test('-v with a path binds, with a name mounts a volume, alone makes an anonymous one', () => {
  const [bind, named, anonymous] = plan({
    Binds: ['/host/a/../b:/in:ro,rshared', 'data:/var/lib/db', '/scratch/'],
  });
  assert.equal(bind?.type, 'bind');
  assert.equal(bind?.source, '/host/b');
  assert.equal(bind?.rw, false);
  assert.equal(bind?.propagation, 'rshared');
  assert.equal(bind?.createSource, true);
  assert.equal(named?.type, 'volume');
  assert.equal(named?.name, 'data');
  assert.equal(named?.copyUp, true);
  assert.equal(anonymous?.destination, '/scratch');
  assert.equal(anonymous?.anonymous, true);
});

test('--mount never makes its source', () => {
  const [mount] = plan({ Mounts: [{ Type: 'bind', Source: '/a', Target: '/b', ReadOnly: true }] });
  assert.equal(mount?.createSource, false);
  assert.equal(mount?.rw, false);
});

test('volumes of the image give way to mounts of the user', () => {
  const mounts = plan({ Binds: ['own:/data'] }, { Volumes: { '/data': {}, '/logs': {} } });
  assert.deepEqual(
    mounts.map((mount) => [mount.destination, mount.name]),
    [
      ['/data', 'own'],
      ['/logs', undefined],
    ],
  );
});

test('tmpfs takes size and mode', () => {
  const [mount] = plan({
    Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 1024, Mode: 0o700 } }],
  });
  assert.deepEqual(mount?.options, ['mode=700', 'size=1024']);
});

const refused: readonly (readonly [HostConfig, string])[] = [
  [{ Binds: ['/a:/b:/c:/d'] }, `invalid volume specification: '/a:/b:/c:/d'`],
  [
    { Binds: ['/a:b'] },
    `invalid volume specification: '/a:b': invalid mount config for type "bind": invalid mount path: 'b' mount path must be absolute`,
  ],
  [{ Binds: ['/a:/'] }, `invalid volume specification: '/a:/': destination can't be '/'`],
  [{ Binds: ['/a:/..'] }, `invalid volume specification: '/a:/..': destination can't be '/'`],
  [{ Binds: ['/a:/b:rw,ro'] }, 'invalid mode: rw,ro'],
  [{ Binds: ['/a:/x', '/b:/x'] }, 'Duplicate mount point: /x'],
  [
    { Mounts: [{ Type: 'bind', Target: '/x' }] },
    'invalid mount config for type "bind": field Source must not be empty',
  ],
  [
    { Mounts: [{ Type: 'volume', Source: 'a' }] },
    'invalid mount config for type "volume": field Target must not be empty',
  ],
  [
    { Mounts: [{ Type: 'npipe', Source: 'a', Target: '/b' }] },
    'invalid mount config for type "npipe": mount type unknown',
  ],
  [
    { Mounts: [{ Type: 'volume', Source: 'a', Target: '/b', VolumeOptions: { Subpath: 'x/../../etc' } }] },
    'invalid mount config for type "volume": subpath must be a relative path within the volume',
  ],
  [{ VolumesFrom: ['nobody'] }, 'No such container: nobody'],
];

for (const [hostConfig, message] of refused) {
  test(`refused: ${message}`, () => {
    assert.throws(() => plan(hostConfig), { message });
  });
}

test('modes: one word of a kind, propagation for binds and nocopy for volumes', () => {
  assert.deepEqual(parseMountMode('ro,z', true), { rw: false, propagation: 'rprivate', copy: true });
  assert.equal(parseMountMode('nocopy', true), undefined);
  assert.equal(parseMountMode('shared', false), undefined);
  assert.equal(parseMountMode('z,Z', true), undefined);
});
