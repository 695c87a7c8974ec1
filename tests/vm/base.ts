/**
 * The virtual machine's kernel, first file system and disk, made once and kept in `.cache/vm`: Debian's cloud kernel
 * unpacked from its package (never installed on this host) and a minimal Debian with systemd.
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { downloadPackage, makeDebianTree } from '../helpers/images/debian.ts';

const run = promisify(execFile);

export interface VmBase {
  readonly kernel: string;
  readonly initrd: string;
  /** Raw ext4; booted with a throw-away overlay. */
  readonly disk: string;
}

/** What the package of the engine depends on, systemd, and what the suite looks with; `VM_PACKAGES` names more. */
const packages = [
  'systemd,systemd-sysv,udev,dbus,kmod,procps,iproute2,nftables,crun,runc,libarchive-tools,busybox-static',
  'adduser,xz-utils,zstd,ca-certificates,curl,openssl,netbase,libstdc++6,conntrack,apparmor,criu,iptables,xfsprogs',
  ...(process.env['VM_PACKAGES']?.split(' ') ?? []),
]
  .join(',')
  .split(',');

/** Loaded by the first file system; ext4 and the serial port are built in. */
const bootModules = ['virtio_pci', 'virtio_blk', 'virtio_rng', 'virtio_net'];

/** Folders of modules that a machine without hardware has no use for. */
const uselessModules = [
  'drivers/net/ethernet',
  'drivers/gpu',
  'drivers/infiniband',
  'drivers/scsi',
  'drivers/nvme',
  'drivers/hv',
  'drivers/usb',
  'drivers/xen',
  'drivers/media',
  'sound',
];

async function kernelPackage(): Promise<string> {
  const { stdout } = await run('apt-cache', ['depends', '--no-suggests', 'linux-image-cloud-amd64']);
  const name = /Depends: (linux-image-\S+)/.exec(stdout)?.[1];
  if (name !== undefined) return name;
  await run('apt-get', ['update']);
  const again = await run('apt-cache', ['depends', '--no-suggests', 'linux-image-cloud-amd64']);
  const found = /Depends: (linux-image-\S+)/.exec(again.stdout)?.[1];
  if (found === undefined) throw new Error('apt knows no linux-image-cloud-amd64');
  return found;
}

async function unpackKernel(folder: string): Promise<string> {
  const target = join(folder, 'kernel');
  const kernel = (): string | undefined => globSync('boot/vmlinuz-*', { cwd: target })[0];
  if (kernel() === undefined) {
    const file = await downloadPackage(await kernelPackage(), join(folder, 'packages'));
    await run('dpkg-deb', ['-x', file, `${target}.tmp`]);
    await rename(`${target}.tmp`, target);
  }
  for (const useless of uselessModules) {
    for (const path of globSync(`lib/modules/*/kernel/${useless}`, { cwd: target })) {
      rmSync(join(target, path), { recursive: true, force: true });
    }
  }
  await run('depmod', ['-b', target, basename(kernel() ?? '').replace('vmlinuz-', '')]);
  return target;
}

/** The modules' files, each after those that it depends on. */
function loadOrder(modulesFolder: string, names: readonly string[]): string[] {
  const dependencies = new Map<string, string[]>();
  for (const line of readFileSync(join(modulesFolder, 'modules.dep'), 'utf8').split('\n')) {
    const [file, needs = ''] = line.split(':');
    if (file !== undefined && file !== '') dependencies.set(file, needs.trim().split(' ').filter(Boolean));
  }
  const order: string[] = [];
  const add = (file: string): void => {
    if (order.includes(file)) return;
    for (const needed of dependencies.get(file) ?? []) add(needed);
    order.push(file);
  };
  for (const name of names) {
    const wanted = new RegExp(`/${name.replace('_', '[_-]')}\\.ko`);
    const file = [...dependencies.keys()].find((path) => wanted.test(path));
    if (file === undefined) throw new Error(`the kernel has no module ${name}`);
    add(file);
  }
  return order;
}

async function makeInitrd(folder: string, kernelTree: string): Promise<string> {
  const version = globSync('lib/modules/*', { cwd: kernelTree })[0] ?? '';
  const modules = join(kernelTree, version);
  const tree = join(folder, 'initrd-tree');
  const target = join(folder, 'initrd.gz');
  rmSync(tree, { recursive: true, force: true });
  for (const name of ['bin', 'modules', 'proc', 'sys', 'dev', 'root'])
    mkdirSync(join(tree, name), { recursive: true });
  copyFileSync('/bin/busybox', join(tree, 'bin/busybox'));
  const order = loadOrder(modules, bootModules);
  for (const file of order) copyFileSync(join(modules, file), join(tree, 'modules', basename(file)));
  writeFileSync(join(tree, 'modules/order'), `${order.map((file) => basename(file)).join('\n')}\n`);
  copyFileSync(join(import.meta.dirname, 'guest/first-init.sh'), join(tree, 'init'));
  chmodSync(join(tree, 'init'), 0o755);
  await run('sh', [
    '-c',
    `cd "$1" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 > "$2"`,
    'sh',
    tree,
    target,
  ]);
  rmSync(tree, { recursive: true, force: true });
  return target;
}

async function makeDisk(folder: string, kernelTree: string): Promise<string> {
  const guest = readFileSync(join(import.meta.dirname, 'guest/suite.service'), 'utf8');
  const key = createHash('sha256')
    .update(JSON.stringify([packages, guest]))
    .digest('hex')
    .slice(0, 12);
  const disk = join(folder, `disk-${key}.ext4`);
  if (existsSync(disk)) return disk;
  for (const old of globSync('disk-*', { cwd: folder })) await rm(join(folder, old));
  const tree = join(folder, 'tree');
  await makeDebianTree(tree, packages);
  for (const useless of ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/info']) {
    await rm(join(tree, useless), { recursive: true, force: true });
  }
  await run('cp', ['-a', join(kernelTree, 'lib/modules'), join(tree, 'lib/')]);
  writeFileSync(join(tree, 'etc/hostname'), 'slipway-vm\n');
  writeFileSync(join(tree, 'etc/hosts'), '127.0.0.1 localhost\n127.0.1.1 slipway-vm\n');
  writeFileSync(join(tree, 'etc/fstab'), '');
  writeFileSync(join(tree, 'etc/machine-id'), `${'0'.repeat(31)}1\n`);
  writeFileSync(join(tree, 'etc/systemd/system/suite.service'), guest);
  const units = join(tree, 'etc/systemd/system');
  mkdirSync(join(units, 'multi-user.target.wants'), { recursive: true });
  await run('ln', ['-sf', '../suite.service', join(units, 'multi-user.target.wants/suite.service')]);
  for (const masked of [
    'getty.target',
    'apt-daily.timer',
    'apt-daily-upgrade.timer',
    'systemd-timesyncd.service',
  ]) {
    await run('ln', ['-sf', '/dev/null', join(units, masked)]);
  }
  await run('truncate', ['-s', '3G', `${disk}.tmp`]);
  await run('mke2fs', ['-q', '-t', 'ext4', '-O', '^has_journal', '-d', tree, `${disk}.tmp`], {
    maxBuffer: 16 << 20,
  });
  await rename(`${disk}.tmp`, disk);
  await rm(tree, { recursive: true, force: true });
  return disk;
}

/** Makes what is missing. Some minutes the first time, nothing later. */
export async function makeBase(folder: string): Promise<VmBase> {
  mkdirSync(folder, { recursive: true });
  const kernelTree = await unpackKernel(folder);
  const kernel = globSync('boot/vmlinuz-*', { cwd: kernelTree })[0] ?? '';
  const initrd = await makeInitrd(folder, kernelTree);
  return { kernel: join(kernelTree, kernel), initrd, disk: await makeDisk(folder, kernelTree) };
}
