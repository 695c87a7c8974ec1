/**
 * firewalld (Debian 13's, unpacked and never installed) with a message bus of its own, in the network and mount namespaces of
 * the test that starts it: its rules and files go with them.
 */

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../scenarios/engine.ts';
import { unpackTrixiePackages } from './trixie.ts';

const cache = join(import.meta.dirname, '../../.cache/firewalld');
const packages = [
  'firewalld',
  'dbus-daemon',
  'python3',
  'netbase',
  'dash',
  'coreutils',
  'mount',
  'base-files',
];
const busUser = 100;

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>
`;

function settle(tree: string): void {
  for (const name of ['proc', 'sys', 'dev', 'run', 'tmp']) mkdirSync(join(tree, name), { recursive: true });
  writeFileSync(
    join(tree, 'etc/passwd'),
    `root:x:0:0:root:/root:/bin/sh\nbus:x:${busUser}:${busUser}::/:/bin/false\n`,
  );
  writeFileSync(join(tree, 'etc/group'), `root:x:0:\nbus:x:${busUser}:\n`);
  writeFileSync(join(tree, 'etc/machine-id'), `${'0'.repeat(31)}1\n`);
  writeFileSync(join(tree, 'etc/bus.conf'), busConfig);
}

export interface Firewalld {
  /** Runs `firewall-cmd`; its output. */
  readonly command: (...args: readonly string[]) => string;
  /** Where its message bus listens, as DBUS_SYSTEM_BUS_ADDRESS says it. */
  readonly bus: string;
  readonly stop: () => Promise<void>;
}

/** Fetches it once; not from within a namespace that has no network. */
export const unpackFirewalld = (): Promise<string> => unpackTrixiePackages(cache, packages, settle);

/**
 * Only within network and mount namespaces of the caller's own. `folder`: an existing one; `settings`: of firewalld.conf.
 */
export async function startFirewalld(
  folder: string,
  settings: Readonly<Record<string, string>>,
): Promise<Firewalld> {
  const tree = await unpackFirewalld();
  const root = join(folder, 'root');
  const sh = (command: string): string => execFileSync('sh', ['-ec', command], { encoding: 'utf8' });
  sh(`mount -t tmpfs tmpfs ${folder}; cd ${folder}; mkdir upper work root
    mount -t overlay overlay -o lowerdir=${tree},upperdir=upper,workdir=work root
    mount -t tmpfs tmpfs root/run; for name in proc dev sys; do mount --rbind /$name root/$name; done
    mkdir root/run/dbus; chown ${busUser}:${busUser} root/run/dbus
    sed -i '${Object.entries(settings)
      .map(([name, value]) => `s/^${name}=.*/${name}=${value}/`)
      .join(';')}' root/etc/firewalld/firewalld.conf`);
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
  const start = (args: readonly string[], user: readonly string[] = []): ChildProcess =>
    spawn('chroot', [...user, root, ...args], {
      stdio: 'ignore',
      env,
    });
  // Not as root: then it would want more descriptors than the test may have.
  const bus = start(
    ['/usr/bin/dbus-daemon', '--config-file=/etc/bus.conf', '--nofork', '--nopidfile'],
    [`--userspec=${busUser}:${busUser}`, '--groups='],
  );
  await eventually('the message bus listens', () =>
    Promise.resolve(sh(`[ ! -S ${root}/run/dbus/system_bus_socket ] || echo up`) === '' ? undefined : true),
  );
  const daemon = start(['/usr/sbin/firewalld', '--nofork', '--nopid']);
  const command: Firewalld['command'] = (...args) =>
    execFileSync('chroot', [root, '/usr/bin/firewall-cmd', ...args], {
      encoding: 'utf8',
      stdio: 'pipe',
      env,
    });
  await eventually(
    'firewalld runs',
    () => {
      if (daemon.exitCode !== null)
        throw new Error(
          `firewalld ended: ${readFileSync(join(root, 'var/log/firewalld'), 'utf8').slice(-2000)}`,
        );
      try {
        return Promise.resolve(command('--state').includes('running') ? true : undefined);
      } catch {
        return Promise.resolve(undefined);
      }
    },
    60_000,
  );
  const stop = async (): Promise<void> => {
    for (const child of [daemon, bus]) {
      const ended = once(child, 'exit');
      if (child.exitCode === null && child.kill('SIGKILL')) await ended;
    }
    sh(`umount -R -l ${folder}`);
  };
  return { command, stop, bus: `unix:path=${root}/run/dbus/system_bus_socket` };
}
