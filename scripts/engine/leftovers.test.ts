import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findMounts, planFirewallRemoval } from './leftovers.ts';

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

test('the tables of the instance go, and its marked rules in the tables of others', () => {
  const rule = { family: 'ip', table: 'filter', chain: 'FORWARD', handle: 7, comment: 'try: in try0' };
  const ruleset = JSON.stringify({
    nftables: [
      { metainfo: {} },
      { table: { family: 'inet', name: 'try', handle: 1 } },
      { table: { family: 'inet', name: 'try2', handle: 2 } },
      { rule },
      { rule: { ...rule, handle: 8, comment: 'try2: in try20' } },
      { rule: { family: 'inet', table: 'try', chain: 'forward', handle: 3, comment: 'try: x' } },
    ],
  });
  assert.deepEqual(planFirewallRemoval(ruleset, 'try'), [
    ['delete', 'table', 'inet', 'try'],
    ['delete', 'rule', 'ip', 'filter', 'FORWARD', 'handle', '7'],
  ]);
  assert.deepEqual(planFirewallRemoval('', 'try'), []);
});
