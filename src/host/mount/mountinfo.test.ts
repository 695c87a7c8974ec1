import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mountsBelow, parseMountInfo } from './mountinfo.ts';

const text = `22 27 0:21 / /proc rw,relatime - proc proc rw
29 27 254:0 /var/x /mnt/with\\040space\\011tab ro,nosuid shared:1 - ext4 /dev/vda rw,discard
30 27 0:40 / /data/merged rw,relatime master:3 propagate_from:1 - overlay overlay rw,lowerdir=/a\\134:b:/c
31 27 0:41 / /data/merged2 rw unbindable - tmpfs none rw
`;

test('fields, escapes and propagation', () => {
  const mounts = parseMountInfo(text);
  assert.deepEqual(
    mounts.map(({ target, propagation }) => [target, propagation]),
    [
      ['/proc', 'private'],
      ['/mnt/with space\ttab', 'shared'],
      ['/data/merged', 'slave'],
      ['/data/merged2', 'unbindable'],
    ],
  );
  assert.deepEqual(mounts[1], {
    target: '/mnt/with space\ttab',
    fstype: 'ext4',
    source: '/dev/vda',
    options: 'rw,discard',
    mountOptions: 'ro,nosuid',
    propagation: 'shared',
    root: '/var/x',
    device: '254:0',
  });
  assert.equal(mounts[2]?.options, 'rw,lowerdir=/a\\:b:/c');
});

test('below a path, itself included, but not a path that merely begins alike', () => {
  const targets = (under: string) => mountsBelow(parseMountInfo(text), under).map(({ target }) => target);
  assert.deepEqual(targets('/data/merged'), ['/data/merged']);
  assert.deepEqual(targets('/data/'), ['/data/merged', '/data/merged2']);
  assert.equal(targets('/').length, 4);
});
