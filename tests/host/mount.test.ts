/** Mounts on the real kernel: restrictions hold, failures leave nothing, overlays of many layers. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createHost } from '../../src/host/index.ts';

const host = createHost();
const directory = mkdtempSync(join(tmpdir(), 'slip-mount-'));
after(async () => {
  for (const { target } of (await host.mounts(directory)).toReversed()) {
    await host.unmount(target, { detach: true });
  }
  await host.close();
  rmSync(directory, { recursive: true, force: true });
});

function make(...names: string[]): string[] {
  return names.map((name) => {
    const path = join(directory, name);
    mkdirSync(path, { recursive: true });
    return path;
  });
}

test('a read-only bind cannot be written to, and shows its flags', async () => {
  const [source = '', target = ''] = make('ro-source', 'ro-target');
  writeFileSync(join(source, 'file'), 'x');
  await host.mount({ source, target, fstype: '', flags: ['bind', 'ro', 'nosuid', 'noexec', 'rprivate'] });
  assert.equal(readFileSync(join(target, 'file'), 'utf8'), 'x');
  assert.throws(() => writeFileSync(join(target, 'file'), 'y'), { code: 'EROFS' });
  const [mount] = await host.mounts(target);
  assert.match(mount?.mountOptions ?? '', /^ro,nosuid,noexec/);
  assert.equal(mount?.propagation, 'private');
  await host.unmount(target);
});

test('a flag that is none is refused before anything is mounted', async () => {
  const [target = ''] = make('half');
  const flags = ['private', 'nosuchflag'];
  await assert.rejects(host.mount({ source: 'tmpfs', target, fstype: 'tmpfs', flags }), /invalid mount flag/);
  assert.deepEqual(await host.mounts(target), []);
});

test('busy is told, detach succeeds', async () => {
  const [target = ''] = make('busy');
  await host.mount({ source: 'tmpfs', target, fstype: 'tmpfs', flags: [] });
  const fd = await host.openInRoot(target, '/', { flags: 0 });
  await assert.rejects(
    host.unmount(target),
    (error: Error) => (error.cause as { code?: string }).code === 'EBUSY',
  );
  await host.unmount(target, { detach: true });
  host.closeFd(fd);
  assert.deepEqual(await host.mounts(target), []);
});

/** An overlay over `count` layers whose paths are relative to a directory with a long name. */
async function overlay(count: number): Promise<string> {
  const base = `${count}-${'long'.repeat(10)}`;
  const [cwd = ''] = make(base);
  make(`${base}/merged`, `${base}/upper`, `${base}/work`);
  const lower = Array.from({ length: count }, (_, at) => `l/${String(at).padStart(20, 'L')}`);
  for (const [at, layer] of lower.entries()) {
    make(`${base}/${layer}`);
    writeFileSync(join(cwd, layer, `file${at}`), String(at));
  }
  await host.mount({
    source: 'overlay',
    target: 'merged',
    fstype: 'overlay',
    flags: [],
    data: `lowerdir=${lower.join(':')},upperdir=upper,workdir=work`,
    cwd,
  });
  return join(cwd, 'merged');
}

for (const count of [2, 120]) {
  test(`an overlay of ${count} layers by relative paths, which leave the own working directory alone`, async () => {
    const before = process.cwd();
    const merged = await overlay(count);
    assert.equal(process.cwd(), before);
    assert.match(readFileSync('/proc/self/mounts', 'utf8'), /,upperdir=upper,workdir=work,/);
    for (const at of [0, count - 1]) {
      assert.equal(readFileSync(join(merged, `file${at}`), 'utf8'), String(at));
    }
    writeFileSync(join(merged, 'new'), 'x');
    await host.unmount(merged);
  });
}

test('a relative overlay in a directory that is not there is refused by name', async () => {
  const [target = ''] = make('nowhere');
  const data = `lowerdir=${Array.from({ length: 400 }, (_, at) => `layer-${at}-xxxx`).join(':')}`;
  const request = { source: 'overlay', target, fstype: 'overlay', flags: [], data, cwd: '/nonexistent' };
  await assert.rejects(host.mount(request), (error: Error) => {
    assert.match(error.message, /chdir \/nonexistent/);
    return (error.cause as { code?: string }).code === 'ENOENT';
  });
});

test('mount points with spaces are found by their names', async () => {
  const [target = ''] = make('with space');
  await host.mount({ source: 'none', target, fstype: 'tmpfs', flags: [] });
  assert.equal((await host.mounts(target))[0]?.target, target);
  await host.unmount(target);
});

test('a file is made below a root, and a device of the outside is not opened by a magic link', async () => {
  const [root = ''] = make('in-root');
  const fd = await host
    .openInRoot(root, 'sub/../made', { flags: 0o101, mode: 0o640 })
    .catch((error: Error) => error);
  assert.ok(fd instanceof Error);
  make('in-root/sub');
  host.closeFd(await host.openInRoot(root, '../../sub/../made', { flags: 0o101, mode: 0o640 }));
  assert.equal(readFileSync(join(root, 'made'), 'utf8'), '');
  await assert.rejects(
    host.openInRoot('/proc/self', 'root/etc'),
    (error: Error) => (error.cause as { code?: string }).code === 'ELOOP',
  );
});
