/** The first image: Debian's static busybox with all its commands, accounts, and a page for its web server. */

import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeDockerArchive } from './docker-archive.ts';

const page = `<!doctype html>
<title>Slipway</title>
<h1>It works.</h1>
<p>This page is served by busybox httpd in a container that Slipway runs.</p>
`;

const files: Readonly<Record<string, string>> = {
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/www:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n',
  'etc/group': 'root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n',
  'www/index.html': page,
};

function makeTree(tree: string): void {
  for (const folder of ['bin', 'dev', 'etc', 'home', 'proc', 'root', 'sys', 'usr/bin', 'var', 'www']) {
    mkdirSync(join(tree, folder), { recursive: true });
  }
  mkdirSync(join(tree, 'tmp'));
  chmodSync(join(tree, 'tmp'), 0o1777);
  copyFileSync('/bin/busybox', join(tree, 'bin/busybox'));
  chmodSync(join(tree, 'bin/busybox'), 0o755);
  const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const applet of applets) {
    if (applet !== 'busybox') linkSync(join(tree, 'bin/busybox'), join(tree, 'bin', applet));
  }
  for (const [path, text] of Object.entries(files)) writeFileSync(join(tree, path), text, { mode: 0o644 });
}

/** Writes the archive; `load` makes of it the image `name`. */
export async function makeBusyboxImage(target: string, name = 'busybox:latest'): Promise<void> {
  mkdirSync(dirname(target), { recursive: true });
  const tree = mkdtempSync(`${target}.tree-`);
  try {
    chmodSync(tree, 0o755);
    makeTree(tree);
    const settings = {
      Cmd: ['sh'],
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    };
    await writeDockerArchive({ tree, target, name, settings });
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}
