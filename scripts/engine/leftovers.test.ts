import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findMounts } from './leftovers.ts';

const mountinfo = [
  '27 1 254:0 / / rw - ext4 /dev/vda rw',
  '40 27 0:50 / /run/slipway/containers/a\\040b/netns rw - nsfs nsfs rw',
  '41 27 0:51 / /var/lib/slipway/overlay2/x/merged rw - overlay overlay rw',
  '42 41 0:52 / /var/lib/slipway/overlay2/x/merged/data rw - ext4 /dev/vda rw',
  '43 27 0:53 / /var/lib/slipway2/y rw - tmpfs tmpfs rw',
  '',
].join('\n');

test('mounts below the folders are found deepest first, with escapes undone', () => {
  assert.deepEqual(findMounts(mountinfo, ['/var/lib/slipway', '/run/slipway']), [
    '/var/lib/slipway/overlay2/x/merged/data',
    '/var/lib/slipway/overlay2/x/merged',
    '/run/slipway/containers/a b/netns',
  ]);
});

test('a folder whose name only begins alike is not ours', () => {
  assert.deepEqual(findMounts(mountinfo, ['/var/lib/slip']), []);
});
