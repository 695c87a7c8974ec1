/** Devices: nodes, rules of the device cgroup, CDI specifications and `--gpus`; seen by opening them inside. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openWorld } from './world.ts';

const specs = mkdtempSync('/tmp/slip-cdi-');
const world = openWorld({ args: [`--cdi-spec-dir=${specs}`] });
world.onClose(() => rmSync(specs, { recursive: true, force: true }));
const { run, refused } = world;

/** Opens a device for reading, and for writing: `r` and `w` where the kernel allows it. */
const opens = (path: string): string[] => [
  'sh',
  '-c',
  `(: < ${path}) 2>/dev/null && echo -n r; (: > ${path}) 2>/dev/null && echo -n w; stat -c ' %t:%T' ${path}`,
];
/** Not /dev/net/tun: runc opens that one to all. */
const loop = 'a:ed';

test('--device: as on the host, elsewhere, with fewer rights; crun and runc', async () => {
  for (const runtime of ['crun', 'runc']) {
    const on = (...args: string[]): Promise<string> => run('--runtime', runtime, ...args);
    assert.equal(
      await on('--device', '/dev/loop-control', 'busybox', ...opens('/dev/loop-control')),
      `rw ${loop}`,
    );
    assert.equal(
      await on('--device', '/dev/loop-control:/dev/mine:w', 'busybox', ...opens('/dev/mine')),
      `w ${loop}`,
    );
  }
  const folder = await run('--device', '/dev/net:/dev/mynet', 'busybox', 'ls', '/dev/mynet');
  assert.equal(folder, 'tun');
});

test('a device that is not given cannot be opened, made by hand or not; a rule opens it', async () => {
  const make = [
    'busybox',
    'sh',
    '-c',
    'mknod /loop c 10 237 && (: > /loop) 2>/dev/null && echo open || echo shut',
  ];
  assert.equal(await run(...make), 'shut');
  assert.equal(await run('--device-cgroup-rule', 'c 10:237 rw', ...make), 'open');
  assert.equal(await run('--device-cgroup-rule', 'c 10:* rwm', ...make), 'open');
  assert.equal(await run('--device-cgroup-rule', 'b 10:237 rwm', ...make), 'shut');
});

test('what is no device is refused in words', async () => {
  const says = async (words: RegExp, ...args: string[]): Promise<void> => {
    const { code, stderr } = await refused(...args, 'busybox', 'true');
    // Docker's clients take a missing file for a missing command.
    assert.equal(code, stderr.includes('no such file') ? 127 : 125, stderr);
    assert.match(stderr, words);
  };
  await says(/adding custom device "\/dev\/nothing": no such file or directory/, '--device', '/dev/nothing');
  await says(/adding custom device "\/etc\/passwd": not a device node/, '--device', '/etc/passwd');
  await says(/bad mode specified: rz/, '--device', '/dev/null:/dev/x:rz');
  await says(/invalid device cgroup rule format: 'everything'/, '--device-cgroup-rule', 'everything');
});

test('CDI: nodes, variables, mounts and groups of a YAML and a JSON specification; info lists them', async () => {
  const hook = join(specs, 'hook.sh');
  mkdirSync(join(specs, 'lib'));
  writeFileSync(join(specs, 'lib/driver.so'), 'driver\n');
  writeFileSync(hook, `#!/bin/sh\ncat > ${specs}/state\n`, { mode: 0o755 });
  writeFileSync(
    join(specs, 'vendor.yaml'),
    `cdiVersion: "0.6.0"
kind: vendor.com/printer
containerEdits:
  env: [ "PRINTERS=on" ]
devices:
  - name: laser
    containerEdits:
      additionalGids: [ 4242 ]
      deviceNodes:
        - { path: /dev/laser, hostPath: /dev/net/tun, permissions: rw }
      mounts:
        - { hostPath: ${specs}/lib, containerPath: /opt/lib, options: [ ro ] }
      hooks:
        - { hookName: createRuntime, path: ${hook} }
`,
  );
  for (const runtime of ['crun', 'runc']) {
    const look = `${opens('/dev/laser')[2]}; echo $PRINTERS; id -G; cat /opt/lib/driver.so; touch /opt/lib/x 2>&1`;
    const seen = await run(
      '--runtime',
      runtime,
      '--device',
      'vendor.com/printer=laser',
      'busybox',
      'sh',
      '-c',
      `${look} || true`,
    );
    assert.match(seen, /^rw a:c8\non\n.*4242.*\ndriver\n.*Read-only file system$/);
  }
  const info = await world.api('GET', '/info');
  const { CDISpecDirs, DiscoveredDevices } = info.body as Record<string, unknown>;
  assert.deepEqual(CDISpecDirs, [specs]);
  assert.deepEqual(DiscoveredDevices, [{ Source: 'cdi', ID: 'vendor.com/printer=laser' }]);
  const missing = await refused('--device', 'vendor.com/printer=ink', 'busybox', 'true');
  assert.match(
    missing.stderr,
    /CDI device injection failed: unresolvable CDI devices vendor\.com\/printer=ink/,
  );
});

test('--gpus: Docker’s error without a driver; with a CDI specification its devices', async () => {
  const none = await refused('--gpus', 'all', 'busybox', 'true');
  assert.equal(none.code, 125);
  assert.match(none.stderr, /could not select device driver "" with capabilities: \[\[gpu\]\]/);
  const device = (name: string): object => ({
    name,
    containerEdits: {
      env: [`GPU_${name}=yes`],
      deviceNodes: [{ path: `/dev/gpu${name}`, hostPath: '/dev/net/tun' }],
    },
  });
  const spec = { cdiVersion: '0.5.0', kind: 'nvidia.com/gpu', devices: ['0', '1'].map(device) };
  writeFileSync(join(specs, 'gpu.json'), JSON.stringify(spec));
  const list = ['busybox', 'sh', '-c', 'ls /dev | grep gpu; env | grep GPU_ | sort'];
  assert.equal(await run('--gpus', 'all', ...list), 'gpu0\ngpu1\nGPU_0=yes\nGPU_1=yes');
  assert.equal(await run('--gpus', '1', ...list), 'gpu0\nGPU_0=yes');
  assert.equal(await run('--gpus', 'device=1', ...list), 'gpu1\nGPU_1=yes');
  assert.match(
    (await refused('--gpus', '5', 'busybox', 'true')).stderr,
    /5 GPUs were asked for, and there are 2/,
  );
});
