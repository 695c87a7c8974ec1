/** In a chroot an exec would enter the mount namespace at its root, on the host's files: the daemon does not start there. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { test } from 'node:test';
import { startEngine } from '../scenarios/engine.ts';

test('slipwayd refuses a chroot, and takes a mount namespace of its own', async (t) => {
  const tree = mkdtempSync('/tmp/slip-tree-');
  t.after(() => rmdirSync(tree));
  const inside = (script: string): readonly string[] => ['unshare', '--mount', 'sh', '-c', script, tree];
  await assert.rejects(
    startEngine({ launcher: inside('mount --rbind / "$0" && exec chroot "$0" "$@"') }),
    /slipwayd runs in a chroot: commands that are executed in containers would see the files outside of it/,
  );
  const engine = await startEngine({ launcher: inside('exec "$@"') });
  try {
    await engine.ok('docker', ['run', '-d', '--name', 'inside', 'busybox', 'sleep', '100000']);
    assert.equal(await engine.ok('docker', ['exec', 'inside', 'cat', '/proc/1/comm']), 'sleep');
  } finally {
    await engine.close();
  }
});
