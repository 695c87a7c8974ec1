/**
 * Sends the same requests to a dockerd and to our engine and prints where status, message or shape of the answers differ.
 * Both must hold an image `busybox` and nothing else. Run: `node tests/api/compare-dockerd.ts DOCKERD_SOCKET OUR_SOCKET [VERSION]`.
 */

import { differences, observe } from './compare/run.ts';

const [reference, ours, version = '1.45'] = process.argv.slice(2);
if (reference === undefined || ours === undefined) {
  console.error('usage: node tests/api/compare-dockerd.ts DOCKERD_SOCKET OUR_SOCKET [VERSION]');
  process.exitCode = 2;
} else {
  const [left, right] = await Promise.all([observe(reference, version), observe(ours, version)]);
  const found = differences(left, right);
  for (const { name, lines } of found) {
    console.log(name);
    for (const line of lines) console.log(`    ${line}`);
  }
  console.log(`${left.length} requests, ${found.length} differences`);
}
