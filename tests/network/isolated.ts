/** Runs a test file in a network namespace of its own, so that bridges, rules and ports never meet the host's. */

import { spawnSync } from 'node:child_process';
import { basename } from 'node:path';
import { test } from 'node:test';
import assert from 'node:assert/strict';

/** The reporter tells failures at its end, and a report of the whole run shows first lines only. */
function failuresFirst(report: string): string {
  const at = report.search(/^. failing tests:$/m);
  return at < 0 ? report.split('\n').toReversed().join('\n') : `${report.slice(at)}\n${report.slice(0, at)}`;
}

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
    // Of the tests inside, those that are wanted.
    const names = process.env['SLIPWAY_TEST_NAMES'] ?? '';
    const chosen = names === '' ? [] : [`--test-name-pattern=${names}`];
    const inside = ['--net', '--mount', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      [
        ...inside,
        process.execPath,
        '--no-memory-protection-keys',
        '--test',
        '--test-reporter=spec',
        ...chosen,
        file,
      ],
      { env: { ...env, [mark]: '1' }, encoding: 'utf8', timeout: 220_000 },
    );
    assert.equal(status, 0, `${failuresFirst(stdout)}\n${stderr}`);
    process.stdout.write(stdout);
  });
}
