import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { backgroundCtx } from '../core/ctx.ts';
import { createHost } from '../host/index.ts';
import { guardRuntimes, releaseRuntimes } from './guard-runtimes.ts';

// On a disk as /usr is: of a program on a tmpfs, as /tmp may be, crun makes its copy whatever the mount.
const cache = join(import.meta.dirname, '../../.cache');
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(join(cache, 'slip-guard-'));
const host = createHost();
after(async () => {
  await releaseRuntimes(host, folder);
  await host.close();
  rmSync(folder, { recursive: true });
});

test('a runtime is run from a read-only view, which follows an update of its package and is taken away', async () => {
  const ctx = backgroundCtx();
  const crun = join(folder, 'crun');
  copyFileSync('/usr/bin/crun', crun);
  const configured = [
    { name: 'crun', path: crun },
    { name: 'mine', path: '/bin/true' },
  ];
  const [guarded, own] = await guardRuntimes(host, ctx, configured, folder);
  const view = guarded?.startPath ?? '';
  assert.equal(own?.startPath, undefined, 'only what is known to need it');
  assert.match(execFileSync(view, ['--version'], { encoding: 'utf8' }), /^crun version/);
  assert.throws(() => writeFileSync(view, 'x'), { code: 'EROFS' });
  // Its own program lies on a read-only mount, so it does not start itself anew.
  const traced = spawnSync(
    'strace',
    ['-f', '-e', 'trace=execve,execveat', view, '--root', folder, 'run', 'none'],
    { encoding: 'utf8' },
  );
  assert.equal(traced.stderr.match(/exec(ve|veat)\(/g)?.length, 1, traced.stderr);

  await guardRuntimes(host, ctx, configured, folder);
  assert.equal((await host.mounts(join(folder, 'bin'))).length, 1, 'a second daemon finds it as it is');
  copyFileSync('/usr/sbin/runc', `${crun}.new`);
  renameSync(`${crun}.new`, crun);
  await guardRuntimes(host, ctx, configured, folder);
  assert.match(execFileSync(view, ['--version'], { encoding: 'utf8' }), /^runc version/);
  await releaseRuntimes(host, folder);
  assert.deepEqual(await host.mounts(join(folder, 'bin')), []);
});
