import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  applyDevices,
  readCdi,
  selectDevices,
  checkRequests,
  listDevices,
  type HostDevice,
} from './index.ts';
import { isQualifiedName, parseCdiSpec } from './spec.ts';

function folders(t: TestContext): { readonly etc: string; readonly run: string } {
  const root = mkdtempSync(join(tmpdir(), 'slip-cdi-'));
  t.after(() => rmSync(root, { recursive: true }));
  const [etc, run] = [join(root, 'etc'), join(root, 'run')];
  for (const folder of [etc, run]) mkdirSync(folder);
  return { etc, run };
}

const gpus = `
# As a vendor's tool writes it.
cdiVersion: "0.6.0"
kind: nvidia.com/gpu
containerEdits:
  env:
    - NVIDIA_VISIBLE_DEVICES=void
  hooks:
    - hookName: createContainer
      path: /usr/bin/nvidia-ctk
      args: [nvidia-ctk, hook, update-ldcache]
devices:
  - name: "0"
    containerEdits:
      deviceNodes:
        - path: /dev/nvidia0
          hostPath: /dev/null
  - name: 1
    containerEdits:
      additionalGids: [44]
      deviceNodes: [{ path: /dev/nvidia1, type: c, major: 195, minor: 1, permissions: rw, fileMode: 438 }]
      mounts:
        - hostPath: /usr/lib/libcuda.so
          containerPath: /usr/lib/libcuda.so
          options: [ro, nosuid]
  - name: all
    containerEdits: { env: ["A=B"] }
`;

const json = (kind: string, name: string, env = 'X=1'): string =>
  JSON.stringify({ cdiVersion: '0.5.0', kind, devices: [{ name, containerEdits: { env: [env] } }] });

const nullDevice: HostDevice = { type: 'c', major: 1, minor: 3, fileMode: 0o20666, uid: 0, gid: 7 };
const empty = {
  process: { env: ['PATH=/bin', 'A=old'], user: { uid: 0 } as { additionalGids?: readonly number[] } },
  mounts: [],
  linux: { resources: { devices: [{ allow: false, access: 'rwm' }] } },
};

test('YAML and JSON specifications are read; a later directory wins; a bad file spoils no other', async (t) => {
  const { etc, run } = folders(t);
  writeFileSync(join(etc, 'nvidia.yaml'), gpus);
  writeFileSync(join(etc, 'a.json'), json('vendor.com/net', 'eth', 'FROM=etc'));
  writeFileSync(join(run, 'a.json'), json('vendor.com/net', 'eth', 'FROM=run'));
  writeFileSync(join(run, 'broken.json'), '{');
  writeFileSync(join(run, 'wrong.yml'), 'cdiVersion: "0.6.0"\nkind: nokind\ndevices: []\n');
  writeFileSync(join(run, 'notes.txt'), 'not for us');
  const { devices, problems } = await readCdi([etc, run, join(run, 'nothing')]);
  assert.deepEqual([...devices.keys()].sort(), [
    'nvidia.com/gpu=0',
    'nvidia.com/gpu=1',
    'nvidia.com/gpu=all',
    'vendor.com/net=eth',
  ]);
  assert.deepEqual(devices.get('vendor.com/net=eth')?.edits.env, ['FROM=run']);
  assert.equal(problems.length, 2);
  assert.match(problems.join('\n'), /broken\.json.*\n.*wrong\.yml: invalid kind nokind/);
  assert.deepEqual((await listDevices([run])).ids, ['vendor.com/net=eth']);
});

test('a device that one directory has twice is nobody’s', async (t) => {
  const { etc } = folders(t);
  writeFileSync(join(etc, 'a.json'), json('vendor.com/net', 'eth'));
  writeFileSync(join(etc, 'b.json'), json('vendor.com/net', 'eth'));
  const { devices, problems } = await readCdi([etc]);
  assert.equal(devices.size, 0);
  assert.match(problems.join(), /conflicting device vendor\.com\/net=eth/);
});

test('edits: the specification’s once, then each device’s; numbers from the host where the file has none', async (t) => {
  const { etc } = folders(t);
  writeFileSync(join(etc, 'nvidia.yaml'), gpus);
  const registry = await readCdi([etc]);
  const ids = ['nvidia.com/gpu=1', 'nvidia.com/gpu=0', 'nvidia.com/gpu=all'];
  const devices = selectDevices(registry, [{ Driver: 'cdi', DeviceIDs: ids }]);
  const asked: string[] = [];
  const edited = applyDevices(empty, devices, (path) => (asked.push(path), nullDevice));
  assert.deepEqual(asked, ['/dev/null']);
  assert.deepEqual(edited, {
    process: {
      env: ['PATH=/bin', 'A=B', 'NVIDIA_VISIBLE_DEVICES=void'],
      user: { uid: 0, additionalGids: [44] },
    },
    mounts: [
      {
        destination: '/usr/lib/libcuda.so',
        type: 'bind',
        source: '/usr/lib/libcuda.so',
        options: ['rbind', 'ro', 'nosuid'],
      },
    ],
    hooks: {
      createContainer: [{ path: '/usr/bin/nvidia-ctk', args: ['nvidia-ctk', 'hook', 'update-ldcache'] }],
    },
    linux: {
      devices: [
        { path: '/dev/nvidia1', type: 'c', major: 195, minor: 1, fileMode: 0o666, uid: 0, gid: 0 },
        { path: '/dev/nvidia0', type: 'c', major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 7 },
      ],
      resources: {
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type: 'c', major: 195, minor: 1, access: 'rw' },
          { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
        ],
      },
    },
  });
});

test('--gpus: by count, all, names and driver; in Docker’s words where there are none', async (t) => {
  const { etc, run } = folders(t);
  writeFileSync(join(etc, 'nvidia.yaml'), gpus);
  writeFileSync(join(etc, 'amd.json'), json('amd.com/gpu', '0'));
  const registry = await readCdi([etc]);
  const names = (request: object): string[] =>
    selectDevices(registry, [{ Capabilities: [['gpu']], ...request }]).map((device) => device.id);
  assert.deepEqual(names({ Count: 1 }), ['nvidia.com/gpu=0']);
  assert.deepEqual(names({ Count: 2 }), ['nvidia.com/gpu=0', 'nvidia.com/gpu=1']);
  assert.deepEqual(names({ Count: -1 }), ['nvidia.com/gpu=all']);
  assert.deepEqual(names({ DeviceIDs: ['1'] }), ['nvidia.com/gpu=1']);
  assert.deepEqual(names({ Driver: 'amd', Count: -1 }), ['amd.com/gpu=0']);
  assert.throws(() => names({ Count: 3 }), {
    kind: 'invalid',
    message: /3 GPUs were asked for, and there are 2/,
  });
  assert.throws(() => names({ DeviceIDs: ['9'] }), { message: /unresolvable CDI devices 9/ });
  const none = await readCdi([run]);
  assert.throws(() => selectDevices(none, [{ Count: -1, Capabilities: [['gpu']] }]), {
    kind: 'invalid',
    message: 'could not select device driver "" with capabilities: [[gpu]]',
  });
  assert.throws(() => selectDevices(none, [{ Driver: 'cdi', DeviceIDs: ['a.b/c=d', 'a.b/c=e'] }]), {
    message: 'CDI device injection failed: unresolvable CDI devices a.b/c=d, a.b/c=e',
  });
});

test('requests are checked at create', () => {
  const check = (request: object): void => checkRequests([request]);
  check({ Driver: 'cdi', DeviceIDs: ['vendor.com/class=name'] });
  check({ Capabilities: [['nvidia', 'gpu']], Count: -1 });
  assert.throws(() => check({ Driver: 'cdi', DeviceIDs: ['name'] }), { kind: 'invalid' });
  assert.throws(() => check({ Driver: 'tpu', Capabilities: [['tpu', 'x'], ['y']] }), {
    message: 'could not select device driver "tpu" with capabilities: [[tpu x] [y]]',
  });
  assert.throws(() => check({ Capabilities: [['gpu']], Count: 1, DeviceIDs: ['0'] }), {
    message: 'cannot set both Count and DeviceIDs on device request',
  });
});

test('names', () => {
  for (const name of ['vendor.com/class=0', 'a/b=c', 'v-1.x/c_d=e:f.g-h'])
    assert.equal(isQualifiedName(name), true, name);
  for (const name of [
    '/dev/null',
    'vendor.com/class',
    'vendor.com/class=',
    '=x',
    'a/b=c/d',
    '../x/y=z',
    'v/c=a b',
  ])
    assert.equal(isQualifiedName(name), false, name);
});

test('what is malformed is refused with its place', () => {
  const device = (edits: unknown): unknown => ({
    cdiVersion: '0.6.0',
    kind: 'v.com/c',
    devices: [{ name: 'x', containerEdits: edits }],
  });
  const bad: readonly (readonly [unknown, RegExp])[] = [
    [null, /cdiVersion/],
    [[], /not an object/],
    [{ cdiVersion: '9.0.0', kind: 'v.com/c' }, /unknown cdiVersion 9\.0\.0/],
    [{ cdiVersion: '0.6.0', kind: 'v.com/c', devices: [] }, /no devices/],
    [{ cdiVersion: '0.6.0', kind: 'v.com/c', devices: [{ name: 'x' }, { name: 'x' }] }, /twice/],
    [device({ env: ['NOVALUE'] }), /devices\.0\.containerEdits\.env: holds no NAME=VALUE/],
    [device({ deviceNodes: [{ path: 'dev/x' }] }), /deviceNodes\.0\.path: dev\/x is not an absolute path/],
    [device({ deviceNodes: [{ path: '/dev/x', permissions: 'z' }] }), /unknown permissions z/],
    [device({ deviceNodes: [{ path: '/dev/x', type: 'q' }] }), /unknown type of device q/],
    [device({ deviceNodes: [{ path: '/dev/x', major: 1.5 }] }), /major: is not a number/],
    [device({ hooks: [{ hookName: 'onMoon', path: '/x' }] }), /unknown hook onMoon/],
    [device({ mounts: [{ hostPath: '/a' }] }), /mounts\.0\.containerPath/],
    [device({ mounts: {} }), /mounts: is not a list/],
  ];
  for (const [spec, words] of bad) {
    assert.throws(
      () => parseCdiSpec(spec, 'f.json'),
      (error: Error) => error.message.startsWith('f.json') && words.test(error.message),
    );
  }
  const proto = JSON.parse(
    '{"cdiVersion":"0.6.0","kind":"v.com/c","devices":[{"name":"x","__proto__":{"containerEdits":{"env":["A=B"]}}}]}',
  ) as unknown;
  assert.deepEqual(parseCdiSpec(proto, 'f').devices.get('x')?.env, []);
});

test('YAML aliases that multiply end as a problem, not as memory', async (t) => {
  const { etc } = folders(t);
  const lines = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]'];
  for (let i = 1; i < 9; i += 1)
    lines.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => `*a${i - 1}`).join(',')}]`);
  writeFileSync(join(etc, 'bomb.yaml'), lines.join('\n'));
  const { problems } = await readCdi([etc]);
  assert.match(problems.join(), /bomb\.yaml: Excessive alias count/);
});
