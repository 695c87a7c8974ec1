/** Runs a test file in a network namespace of its own, so that bridges, rules and ports never meet the host's. */

import { spawnSync } from 'node:child_process';
import { basename } from 'node:path';
import { test } from 'node:test';
import assert from 'node:assert/strict';

const mark = 'SLIPWAY_TEST_NAMESPACE';

/** Outside: one test that runs `file` again inside. Inside: `define` makes the real tests. */
export function isolated(file: string, define: () => void): void {
  if (process.env[mark] === '1') {
    define();
    return;
  }
  test(`${basename(file)} in a network namespace of its own`, () => {
    // The runner's own variable would make the inner run speak its protocol on our stdout.
    const { NODE_TEST_CONTEXT: _runner, ...env } = process.env;
    const inside = ['--net', '--mount', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      [...inside, process.execPath, '--test', '--test-reporter=spec', file],
      { env: { ...env, [mark]: '1' }, encoding: 'utf8' },
    );
    assert.equal(status, 0, `${stdout}\n${stderr}`);
    process.stdout.write(stdout);
  });
}
