import assert from 'node:assert/strict';
import { test } from 'node:test';
import { osRelease, parseFilesystems } from './facts.ts';

test('os-release: quoted, unquoted, escaped, absent', () => {
  const text = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID=12\nNAME=\'A B\'\nX="a \\"b\\""\n';
  assert.equal(osRelease(text, 'PRETTY_NAME'), 'Debian GNU/Linux 12 (bookworm)');
  assert.equal(osRelease(text, 'VERSION_ID'), '12');
  assert.equal(osRelease(text, 'NAME'), 'A B');
  assert.equal(osRelease(text, 'X'), 'a "b"');
  assert.equal(osRelease(text, 'ID'), '');
});

test('/proc/filesystems', () => {
  assert.deepEqual(parseFilesystems('nodev\tproc\n\text4\nnodev\toverlay\n'), ['proc', 'ext4', 'overlay']);
});
