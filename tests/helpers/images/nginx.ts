/** A real nginx installed on a debootstrapped Debian, as a docker archive kept in `.cache/images`. */

import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDockerArchive } from '../../../scripts/images/docker-archive.ts';
import { madeOnce } from '../made-once.ts';
import { makeDebianTree } from './debian.ts';

const folder = join(import.meta.dirname, '../../../.cache/images');

/** What a server in a container never reads. */
const needless = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/locale',
  'usr/share/info',
  'usr/share/i18n',
  'var/cache',
  'var/lib/apt',
  'var/log/nginx',
];

export const nginxImageName = 'debian-nginx:latest';
export const nginxPage = '<!doctype html>\n<title>nginx in a container</title>\n<p>Hello from nginx.</p>\n';

async function prepareTree(tree: string): Promise<void> {
  for (const path of needless) await rm(join(tree, path), { recursive: true, force: true });
  await mkdir(join(tree, 'var/cache'), { recursive: true });
  await mkdir(join(tree, 'var/log/nginx'), { recursive: true });
  // As images of servers do: the engine's log is the server's log.
  await symlink('/dev/stdout', join(tree, 'var/log/nginx/access.log'));
  await symlink('/dev/stderr', join(tree, 'var/log/nginx/error.log'));
  await writeFile(join(tree, 'var/www/html/index.html'), nginxPage);
}

/** Makes the archive if it is missing (a minute or so, root and apt's mirror needed); returns its path. */
export async function nginxImage(): Promise<string> {
  const target = join(folder, 'debian-nginx.tar');
  return await madeOnce(target, async () => {
    const tree = join(folder, 'nginx-tree');
    await makeDebianTree(tree, ['nginx-light']);
    await prepareTree(tree);
    await writeDockerArchive({
      tree,
      target,
      name: nginxImageName,
      settings: {
        Cmd: ['nginx', '-g', 'daemon off;'],
        Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
        ExposedPorts: { '80/tcp': {} },
        StopSignal: 'SIGQUIT',
      },
    });
    await rm(tree, { recursive: true, force: true });
  });
}

/** A small Debian with its package tools, as an image archive kept in `.cache/images`. */
export async function debianImage(): Promise<string> {
  const target = join(folder, 'debian.tar');
  return await madeOnce(target, async () => {
    const tree = join(folder, 'debian-tree');
    await makeDebianTree(tree, []);
    const settings = {
      Cmd: ['bash'],
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    };
    await writeDockerArchive({ tree, target, name: 'debian:bookworm', settings });
    await rm(tree, { recursive: true, force: true });
  });
}
