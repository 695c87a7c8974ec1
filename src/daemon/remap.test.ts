import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../core/log.ts';
import { nextFreeId, resolveRemap, subordinateRanges, type Account, type Accounts } from './remap.ts';

const users: readonly Account[] = [
  { name: 'root', id: 0 },
  { name: 'alice', id: 1000 },
  { name: 'bob', id: 1001 },
  { name: 'loner', id: 1002 },
];
const groups: readonly Account[] = [...users.slice(0, 3), { name: 'staff', id: 50 }];
const find = (list: readonly Account[], key: string): Account | undefined =>
  list.find(({ name, id }) => name === key || String(id) === key);

function accounts(changes: Partial<Accounts> = {}): Accounts {
  return {
    user: (key) => find(users, key),
    group: (key) => find(groups, key),
    subuid: () => 'alice:100000:65536\nbob:200000:10\n# loner\n1000:400000:5\n',
    subgid: () => 'alice:300000:65536\n',
    create: () => {
      throw new Error('no useradd');
    },
    ...changes,
  };
}

const resolved = (option: string, changes?: Partial<Accounts>) =>
  resolveRemap(silentLogger, option, accounts(changes));

test('ranges stand under a name or a number and follow each other', () => {
  const mapping = resolved('alice');
  assert.deepEqual(mapping?.uids, [
    { inside: 0, outside: 100_000, size: 65_536 },
    { inside: 65_536, outside: 400_000, size: 5 },
  ]);
  assert.deepEqual(mapping?.gids, [{ inside: 0, outside: 300_000, size: 65_536 }]);
  for (const option of ['1000', 'alice:staff', 'alice:50', '1000:1000', 'alice:bob'])
    assert.deepEqual(resolved(option), mapping);
});

test('nothing is mapped without the option, and root not to itself', () => {
  assert.equal(resolved(''), undefined);
  assert.equal(resolved('root'), undefined);
  assert.equal(resolved('0:0'), undefined);
});

test('mistakes are told as dockerd tells them', () => {
  const refusals: readonly (readonly [string, RegExp])[] = [
    ['a:b:c', /^invalid user\/group specification in --userns-remap: "a:b:c"$/],
    [
      'nobodyhere',
      /^error during uid lookup for "nobodyhere": getent unable to find entry "nobodyhere" in passwd database$/,
    ],
    ['4711', /^uid 4711 has no entry in \/etc\/passwd: /],
    ['loner', /^error during gid lookup for "loner": getent unable to find entry "loner" in group database$/],
    ['1002', /^gid 1002 has no entry in \/etc\/group: /],
    ['alice:nogrp', /^error during groupname lookup for "nogrp": /],
    ['alice:7777', /^gid 7777 has no entry in \/etc\/group: /],
    ['loner:staff', /^Can't create ID mappings: no subuid ranges found for user "loner"$/],
    ['bob', /^Can't create ID mappings: no subgid ranges found for user "bob"$/],
    ['default', /^error during "dockremap" user creation: no useradd$/],
  ];
  for (const [option, message] of refusals) assert.throws(() => resolved(option), { message });
});

test('the default user is made once, and used from then on', () => {
  const made: Account[] = [];
  const own: Partial<Accounts> = {
    user: (key) => find(made, key),
    group: (key) => find(made, key),
    subuid: () => 'dockremap:500000:65536',
    subgid: () => 'dockremap:500000:65536',
    create: (name) => void made.push({ name, id: 110 }),
  };
  assert.equal(resolved('default', own)?.uids[0]?.outside, 500_000);
  assert.equal(resolved('default', own)?.uids[0]?.outside, 500_000);
  assert.equal(made.length, 1);
});

test('new ranges begin behind all others; a damaged file is not passed over', () => {
  assert.equal(nextFreeId(''), 100_000);
  assert.equal(nextFreeId('a:100000:65536\nb:300000:10\n'), 300_010);
  assert.throws(() => subordinateRanges('alice:100000\n', { name: 'alice', id: 1 }), {
    message: /cannot parse subuid\/gid information: "alice:100000"/,
  });
});
