import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { findFileMappings } from './release.ts';

const block = (line: string, rss: number, anonymous: number): string =>
  `${line}\nSize: 400 kB\nRss:    ${rss} kB\nAnonymous:   ${anonymous} kB\nSwap:  0 kB\n`;

test('only unchanged, unwritable, private mappings of files are found', () => {
  const smaps = [
    block('00400000-00500000 r-xp 00000000 fe:00 77 /usr/bin/node', 300, 0),
    block('00500000-00600000 r--p 00100000 fe:00 77 /usr/bin/node', 200, 8),
    block('00600000-00700000 rw-p 00200000 fe:00 77 /usr/bin/node', 200, 0),
    block('00700000-00800000 r--s 00200000 fe:00 78 /usr/lib/cache', 200, 0),
    block('00800000-00900000 r--p 00000000 00:00 0 ', 200, 0),
    block('00900000-00a00000 r--p 00000000 fe:00 79 /lib/libc.so.6', 0, 0),
  ].join('');
  assert.deepEqual(findFileMappings(smaps), [{ start: 0x400000, length: 0x100000, residentKb: 300 }]);
});

test('a process gives back pages and goes on', () => {
  const script = `
    const { releaseFilePages } = await import(${JSON.stringify(join(import.meta.dirname, 'release.ts'))});
    const { readFileSync } = await import('node:fs');
    const rss = () => Number(/^VmRSS:\\s+(\\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
    const before = rss();
    const released = releaseFilePages();
    console.log(JSON.stringify({ before, released, after: rss(), regex: 'aab'.replace(/a+/, 'x') }));`;
  const told = JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }),
  ) as {
    before: number;
    released: number;
    after: number;
    regex: string;
  };
  assert.equal(told.regex, 'xb');
  assert.ok(told.released > 10_000, `released ${told.released} kB`);
  assert.ok(told.after < told.before - 10_000, `${told.before} kB before, ${told.after} kB after`);
});
