/** A program of `wakeups.test.ts`: waits for a log to grow, says so, waits for it to be rotated, says so. `node wait-for-growth.ts PATH`. */

import { appendFileSync, renameSync, watch, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { LogWakeups } from '../../src/logs/spool/wakeups.ts';

const path = process.argv[2] ?? '';
/** Whether this process gets a watch at all: the test is about one that does not. */
function canWatch(): boolean {
  try {
    watch(dirname(path)).close();
    return true;
  } catch {
    return false;
  }
}

process.stdout.write(`watches: ${canWatch()}\n`);
const wakeups = new LogWakeups(path);
appendFileSync(path, 'more\n');
await wakeups.wait();
process.stdout.write('grown\n');
renameSync(path, `${path}.1`);
writeFileSync(path, '');
await wakeups.wait();
process.stdout.write('rotated\n');
wakeups.close();
