/**
 * Makes everything that test files share in `.cache` (trees of Debian, unpacked peers, clients, the disk of the virtual machine),
 * several at once, so that no test file waits for the network: the runner does so beside the suites that need nothing of it.
 * What fails here is told, and tried again by the test file that needs it.
 */

import { join } from 'node:path';
import { installDockerode, installTestcontainers } from './clients/npm-clients.ts';
import { workingCriu } from './helpers/criu.ts';
import { mariadbImage } from './helpers/images/mariadb.ts';
import { nginxImage } from './helpers/images/nginx.ts';
import { unpackDockerd } from './peers/dockerd.ts';
import { unpackFirewalld } from './peers/firewalld.ts';
import { unpackPodman } from './peers/podman.ts';
import { unpackRsyslog } from './peers/rsyslog.ts';
import { unpackCompose, unpackTrixie } from './peers/trixie.ts';
import { busyboxArchive } from './scenarios/engine.ts';
import { makeBase } from './vm/base.ts';

const cache = join(import.meta.dirname, '../.cache');

/** Each row one after the other, the rows side by side: what the first test files need comes first. */
const rows: readonly (readonly (() => Promise<unknown>)[])[] = [
  [busyboxArchive, unpackDockerd, unpackTrixie, unpackCompose, installDockerode, installTestcontainers],
  [workingCriu, unpackFirewalld, unpackPodman, unpackRsyslog],
  [nginxImage, mariadbImage, () => makeBase(join(cache, 'vm'))],
];

async function makeRow(row: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const make of row) {
    try {
      await make();
    } catch (error) {
      process.stdout.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      process.exitCode = 1;
    }
  }
}

await Promise.all(rows.map(makeRow));
