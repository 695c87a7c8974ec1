/** A real MariaDB installed on a debootstrapped Debian, as a docker archive kept in `.cache/images`. */

import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDockerArchive } from '../../../scripts/images/docker-archive.ts';
import { madeOnce } from '../made-once.ts';
import { makeDebianTree } from './debian.ts';

const folder = join(import.meta.dirname, '../../../.cache/images');

export const mariadbImageName = 'debian-mariadb:latest';

/** A bind mount is empty at first (only volumes are filled from the image), so the server makes its tables where they are missing. */
const entrypoint = `#!/bin/sh
set -e
mkdir -p /run/mysqld
chown mysql:mysql /run/mysqld /var/lib/mysql
if [ ! -d /var/lib/mysql/mysql ]; then
  mariadb-install-db --user=mysql --datadir=/var/lib/mysql --skip-test-db >/dev/null
fi
exec mariadbd --user=mysql --datadir=/var/lib/mysql "$@"
`;

/** Makes the archive if it is missing (two minutes or so, root and apt's mirror needed); returns its path. */
export async function mariadbImage(): Promise<string> {
  const target = join(folder, 'debian-mariadb.tar');
  return await madeOnce(target, async () => {
    const tree = join(folder, 'mariadb-tree');
    await makeDebianTree(tree, ['mariadb-server']);
    for (const path of [
      'usr/share/doc',
      'usr/share/man',
      'usr/share/locale',
      'var/cache',
      'var/lib/apt',
      'var/lib/mysql',
    ]) {
      await rm(join(tree, path), { recursive: true, force: true });
    }
    await mkdir(join(tree, 'var/lib/mysql'));
    await writeFile(join(tree, 'entrypoint'), entrypoint);
    await chmod(join(tree, 'entrypoint'), 0o755);
    await writeDockerArchive({
      tree,
      target,
      name: mariadbImageName,
      settings: {
        Entrypoint: ['/entrypoint'],
        Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
        ExposedPorts: { '3306/tcp': {} },
      },
    });
    await rm(tree, { recursive: true, force: true });
  });
}
