import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { SpecMount } from '../../core/ports/spec-builder.ts';
import type { ContainerHost } from './deps.ts';
import { guardMounts } from './mount-guard.ts';

/** openat2 with links that are absolute in the root, by hand: enough for trees without tricks. */
function hostOf(root: string): ContainerHost {
  const open = async (_root: string, path: string): Promise<number> => {
    const first = join(root, path);
    return openSync(first, constants.O_RDONLY);
  };
  return { openInRoot: open, closeFd: (fd: number) => closeSync(fd) } as unknown as ContainerHost;
}

function tree(t: TestContext): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'slip-guard-')));
  t.after(() => rmSync(root, { recursive: true }));
  for (const name of ['proc', 'dev', 'sys', 'etc', 'data']) mkdirSync(join(root, name));
  symlinkSync('proc', join(root, 'link'));
  symlinkSync('.', join(root, 'all'));
  return root;
}

const bind = (destination: string, source = '/nowhere'): SpecMount => ({
  destination,
  type: 'bind',
  source,
  options: ['rbind'],
});

test('mounts into /proc are refused, under whatever name they come; harmless files and all else pass', async (t) => {
  const root = tree(t);
  const guard = (mount: SpecMount): Promise<void> => guardMounts(hostOf(root), root, [mount]);
  for (const place of ['/proc', '/proc/sys', '/proc/self/attr', '/link', '/link/sys/kernel', '/all/proc'])
    await assert.rejects(
      guard(bind(place)),
      { kind: 'invalid', message: /because it is inside \/proc/ },
      place,
    );
  await assert.rejects(guard({ ...bind('/proc'), type: 'tmpfs' }), { kind: 'invalid' });
  await assert.rejects(guard(bind('/all')), { kind: 'invalid', message: /it leads to \// });
  for (const place of ['/data', '/data/deep/down', '/etc/hosts', '/proc/uptime', '/processes', '/sys/fs'])
    await guard(bind(place));
});

test('a folder on /dev brings the null device and no link for the console', async (t) => {
  const root = tree(t);
  const guard = (source: string): Promise<void> => guardMounts(hostOf(root), root, [bind('/dev', source)]);
  await guard('/dev');
  const fake = join(root, 'data');
  await assert.rejects(guard(fake), { message: /its "null" is not the null device/ });
  writeFileSync(join(fake, 'null'), '');
  await assert.rejects(guard(fake), { kind: 'invalid' });
  rmSync(join(fake, 'null'));
  symlinkSync('/dev/null', join(fake, 'null'));
  await assert.rejects(guard(fake), { kind: 'invalid' });
});

test('an image whose /dev, /proc or /sys is a link is not started', async (t) => {
  for (const name of ['dev', 'proc', 'sys']) {
    const root = tree(t);
    rmSync(join(root, name), { recursive: true });
    symlinkSync('/tmp', join(root, name));
    await assert.rejects(guardMounts(hostOf(root), root, []), {
      kind: 'invalid',
      message: new RegExp(`/${name} is not a directory`),
    });
  }
});
