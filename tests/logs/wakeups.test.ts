/** Followers of a log on a host whose inotify instances are used up. In a user namespace of its own, which has a limit of its own. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../scenarios/engine.ts';

for (const [limit, watches] of [
  ['0', false],
  ['100', true],
] as const) {
  test(`with ${limit} instances of inotify who follows a log hears of growth and of rotations`, async () => {
    const folder = mkdtempSync('/tmp/slip-wakeups-');
    try {
      const log = join(folder, 'log');
      writeFileSync(log, 'first\n');
      const script = 'echo "$1" > /proc/sys/user/max_inotify_instances && exec "$2" "$3" "$4"';
      const program = join(import.meta.dirname, 'wait-for-growth.ts');
      const args = [
        '--user',
        '--map-root-user',
        'sh',
        '-c',
        script,
        'sh',
        limit,
        process.execPath,
        program,
        log,
      ];
      const outcome = await runProgram('unshare', args);
      assert.equal(outcome.stderr, '');
      assert.deepEqual(outcome.stdout.trim().split('\n'), [`watches: ${watches}`, 'grown', 'rotated']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}
