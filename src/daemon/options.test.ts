import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lockDataRoot, writePidFile } from './lock.ts';
import { insecureListeners, listenerOf } from './listen.ts';
import { parseCommand, type DaemonOptions } from './options.ts';
import { chooseDefault } from './runtimes.ts';

function options(...args: string[]): DaemonOptions {
  const command = parseCommand(args);
  assert.equal(command.run, 'daemon');
  return (command as { options: DaemonOptions }).options;
}

test('defaults', () => {
  const given = options();
  assert.deepEqual(given.hosts, ['unix:///run/slipway.sock']);
  assert.equal(given.dataRoot, '/var/lib/slipway');
  assert.equal(given.instance, 'slipway');
  assert.equal(given.fixCgroups, true);
  assert.equal(given.tls, undefined);
});

test('values and lists', () => {
  const given = options(
    '-H',
    'tcp://127.0.0.1:1',
    '--host=unix:///x',
    '--docker-socket',
    '--add-runtime',
    'r=/bin/r',
    '--log-opt',
    'max-size=1m',
    '--default-address-pool',
    'base=10.0.0.0/8,size=24',
    '--mtu',
    '1400',
    '-D',
    '--experimental',
    '--fix-cgroups',
    'false',
  );
  assert.deepEqual(given.hosts, ['tcp://127.0.0.1:1', 'unix:///x', 'unix:///var/run/docker.sock']);
  assert.deepEqual(given.runtimes, [{ name: 'r', path: '/bin/r' }]);
  assert.deepEqual(given.logOptions, { 'max-size': '1m' });
  assert.deepEqual(given.addressPools, [{ base: '10.0.0.0/8', size: 24 }]);
  assert.equal(given.mtu, 1400);
  assert.equal(given.logLevel, 'debug');
  assert.equal(given.fixCgroups, false);
  assert.equal(given.experimental, true);
});

const refused: readonly (readonly [readonly string[], RegExp])[] = [
  [['--nonsense'], /nonsense/],
  [['--instance', 'A B'], /--instance: A B must be/],
  [['--instance', 'much-too-long-name'], /--instance/],
  [['--data-root', 'relative'], /--data-root: relative is not an absolute path/],
  [['--log-level', 'loud'], /--log-level: loud/],
  [['--add-runtime', 'x'], /--add-runtime: x is not of the form NAME=VALUE/],
  [['--default-address-pool', 'base=1'], /--default-address-pool/],
  [['--mtu', 'big'], /--mtu: big/],
  [['--tls'], /--tls needs --tlscert and --tlskey/],
  [['--tlsverify', '--tlscert', 'a', '--tlskey', 'b'], /--tlsverify needs --tlscacert/],
];

for (const [args, message] of refused) {
  test(`refused: ${args.join(' ')}`, () =>
    assert.throws(() => parseCommand(args), { kind: 'invalid', message }));
}

test('listeners', () => {
  const plain = options('--group', '77');
  assert.deepEqual(listenerOf('unix:///a/b', plain), { type: 'unix', path: '/a/b', gid: 77 });
  assert.deepEqual(listenerOf('tcp://0.0.0.0', plain), { type: 'tcp', host: '0.0.0.0', port: 2375 });
  assert.deepEqual(listenerOf('tcp://[::1]:9', plain), { type: 'tcp', host: '::1', port: 9 });
  assert.deepEqual(listenerOf('fd://', plain), { type: 'fd', fd: 3 });
  assert.throws(() => listenerOf('http://x', plain), { kind: 'invalid' });
  assert.deepEqual(insecureListeners(options('-H', 'tcp://[::1]:9', '-H', 'unix:///a')), ['[::1]:9']);
});

test('the default runtime is crun where it works', () => {
  const both = [
    { name: 'crun', path: '/c' },
    { name: 'runc', path: '/r' },
  ];
  const v2 = { version: 2 as const, controllers: {}, unified: '/u' };
  const hybrid = { version: 'hybrid' as const, controllers: {}, unified: '/u' };
  assert.equal(chooseDefault(options(), both, v2, 'cpu memory'), 'crun');
  assert.equal(chooseDefault(options(), both, hybrid, ''), 'crun');
  assert.equal(chooseDefault(options(), both, hybrid, 'hugetlb'), 'runc');
  assert.equal(chooseDefault(options('--default-runtime', 'runc'), both, v2, ''), 'runc');
  assert.throws(() => chooseDefault(options('--default-runtime', 'x'), both, v2, ''), { kind: 'invalid' });
  assert.throws(() => chooseDefault(options(), [], v2, ''), { message: /install crun or runc/ });
});

test('one data root, one daemon; the pid file goes with its writer', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'slip-lock-'));
  const lock = await lockDataRoot(directory);
  await assert.rejects(lockDataRoot(directory), {
    kind: 'conflict',
    message: /another slipwayd already works on/,
  });
  lock.release();
  const remove = writePidFile(join(directory, 'pid'));
  assert.equal(readFileSync(join(directory, 'pid'), 'utf8'), `${process.pid}\n`);
  remove();
  assert.equal(existsSync(join(directory, 'pid')), false);
  rmSync(directory, { recursive: true });
});

test('what is kept of images: marks in percent, off, and words that are none', () => {
  const policy = (...args: string[]): unknown => {
    const parsed = parseCommand(args);
    return parsed.run === 'daemon' ? parsed.options.imagePolicy : undefined;
  };
  assert.deepEqual(policy(), { high: 0.9, low: 0.8, keepBlobs: 'auto' });
  assert.deepEqual(policy('--image-gc', 'off', '--keep-blobs', 'never'), {
    high: undefined,
    low: 0,
    keepBlobs: 'never',
  });
  assert.deepEqual(policy('--image-gc=high=70,low=60.5'), { high: 0.7, low: 0.605, keepBlobs: 'auto' });
  for (const bad of ['high=60,low=70', 'high=90', 'on', 'high=101,low=1', 'high=9,low=0', 'high=9,low=1,x=2'])
    assert.throws(() => policy('--image-gc', bad), /--image-gc: .* is neither off nor/, bad);
  assert.throws(() => policy('--keep-blobs', 'some'), /none of auto, always, never/);
});

test('storage drivers that are gone are named with what replaced them', () => {
  for (const [name, words] of [
    ['aufs', /AUFS never became part of Linux.*use overlay2/],
    ['devicemapper', /overlay2 replaced it: use overlay2/],
    ['zfs', /there is no such driver here: use overlay2, btrfs or vfs/],
  ] as const)
    assert.throws(() => parseCommand(['--storage-driver', name]), { kind: 'invalid', message: words });
  assert.equal(parseCommand(['-s', 'overlay2']).run, 'daemon');
  assert.equal(parseCommand(['-s', 'vfs']).run, 'daemon');
});

test('the default size of containers', () => {
  const size = (...args: string[]): unknown => {
    const parsed = parseCommand(args);
    return parsed.run === 'daemon' ? parsed.options.writableSize : undefined;
  };
  assert.equal(size(), undefined);
  assert.equal(size('--storage-opt', 'overlay2.size=1.5G'), 1.5 * 1024 ** 3);
  assert.equal(
    size('--storage-opt=overlay2.override_kernel_check=true', '--storage-opt=overlay2.size=0'),
    undefined,
  );
  for (const [text, words] of [
    ['size=10m', /overlay2: unknown option size/],
    ['overlay2.size=much', /invalid size: 'much'/],
    ['overlay2.size', /invalid size: ''/],
  ] as const)
    assert.throws(() => size('--storage-opt', text), { kind: 'invalid', message: words });
});
