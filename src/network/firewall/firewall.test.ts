import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backgroundCtx } from '../../core/ctx.ts';
import { internal } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import type { FirewallNetwork, FirewallPort } from '../../core/ports/firewall.ts';
import type { NftChainInfo, NftRuleInfo } from '../../core/ports/nft.ts';
import { elementId, networkElements, portElement, portOfElement } from './elements.ts';
import { createFirewall } from './index.ts';
import { dropsForwards, planForeignRemoval, planForeignRules } from './foreign.ts';
import { expectedRules, planTable, setNames } from './table.ts';

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
const port = (changes: Partial<FirewallPort> = {}): FirewallPort => ({
  protocol: 'tcp',
  hostIp: '0.0.0.0',
  hostPort: 8080,
  containerIp: '172.17.0.2',
  containerPort: 80,
  bridge: 'slipway0',
  ...changes,
});

test('a kernel without nf_tables is told as such', async () => {
  const refuse = (code: string) => () =>
    Promise.reject(internal('netlink nftables', Object.assign(new Error(code), { code })));
  for (const code of ['EOPNOTSUPP', 'EPROTONOSUPPORT']) {
    const host = {
      nftApply: refuse(code),
      nftElements: () => Promise.resolve(undefined),
      nftChains: () => Promise.resolve([]),
      nftRules: () => Promise.resolve([]),
      deleteConntrack: () => Promise.resolve(0),
      link: () => Promise.resolve(),
    };
    await assert.rejects(
      createFirewall({ host, instance: 'x' }).restore(backgroundCtx(silentLogger), [], []),
      /this kernel has no nf_tables.*modprobe nf_tables/,
    );
  }
});

test('the table is one transaction in the order that the kernel needs', () => {
  const changes = planTable('slipway');
  assert.deepEqual(
    changes.slice(0, 3).map((change) => change.change),
    ['addTable', 'deleteTable', 'addTable'],
  );
  assert.ok(changes.every((change) => change.family === 'inet' && change.table === 'slipway'));
  const defined = new Set<string>();
  for (const change of changes) {
    if (change.change === 'addSet') defined.add(change.set);
    if (change.change === 'addChain') defined.add(change.chain);
    if (change.change !== 'addRule') continue;
    assert.ok(defined.has(change.chain), change.chain);
    for (const expression of change.expressions)
      if (expression.expr === 'lookup') assert.ok(defined.has(expression.set), expression.set);
    assert.ok((change.comment ?? '').length < 120);
  }
  assert.deepEqual(
    setNames.filter((name) => !defined.has(name)),
    [],
  );
});

test('rules are known by their comments', () => {
  const planned = planTable('slipway').flatMap((change) =>
    change.change === 'addRule' ? [change.comment] : [],
  );
  assert.deepEqual([...expectedRules().values()].flat(), planned);
  assert.equal(new Set(planned).size, planned.length - 4, 'prerouting and output share theirs');
});

test('a drop never comes before what it must let through', () => {
  const forward = expectedRules()
    .get('forward')
    ?.map((comment) => comment.replace(/ #.*/, ''));
  assert.deepEqual(forward, [
    'known connections',
    'inside a network',
    'out of an internal network',
    'into an internal network',
    'published ports',
    'published ports of routed networks',
    'echo requests to routed networks',
    'unprotected networks',
    'published ports of routed networks6',
    'echo requests to routed networks6',
    'unprotected networks6',
    'from trusted interfaces',
    'unpublished ports',
    'outbound',
    'between other interfaces',
  ]);
});

test('ports as elements, byte for byte, and back', () => {
  const every = portElement(port());
  assert.equal(every?.set, 'ports');
  assert.equal(hex(every?.element.key), '060000001f900000');
  assert.equal(hex(every?.element.data), 'ac11000200500000');
  const one = portElement(port({ hostIp: '127.0.0.1', protocol: 'udp' }));
  assert.equal(one?.set, 'bound_ports');
  assert.equal(hex(one?.element.key), '7f000001110000001f900000');
  for (const some of [
    port(),
    port({ hostIp: '192.0.2.7', protocol: 'sctp' }),
    port({ hostIp: '::', containerIp: 'fd00::2' }),
    port({ hostIp: 'fd00::1', containerIp: 'fd00::2', protocol: 'udp' }),
    port({ hostPort: 0 }),
    port({ hostIp: '::', hostPort: 0, containerIp: 'fd00::2', protocol: 'udp' }),
  ]) {
    const placed = portElement(some);
    assert.ok(placed);
    assert.deepEqual(portOfElement(placed.set, placed.element), some);
  }
  // slipway-net relays them: they have a place of their own, and are no ports of the map.
  const relayed = portElement(port({ hostIp: '::' }));
  assert.equal(`${relayed?.set} ${hex(relayed?.element.key)}`, 'relayed6 060000001f900000');
  const one6 = portElement(port({ hostIp: '::1' }));
  assert.equal(
    `${one6?.set} ${hex(one6?.element.key)}`,
    `bound_relayed6 ${'0'.repeat(30)}01060000001f900000`,
  );
  const four = portElement(port({ hostIp: '192.0.2.7', containerIp: 'fd00::2' }));
  assert.equal(`${four?.set} ${hex(four?.element.key)}`, 'bound_relayed c0000207060000001f900000');
  assert.equal(portOfElement('relayed6', relayed?.element ?? { key: Uint8Array.of() }), undefined);
  assert.equal(portElement(port({ hostIp: '::', hostPort: 0 })), undefined);
  assert.equal(portElement(port({ containerIp: '' })), undefined);
  assert.equal(portOfElement('ports', { key: Uint8Array.of(6) }), undefined);
});

test('elements compare equal however the kernel pads their values', () => {
  const placed = portElement(port());
  assert.ok(placed?.element.data);
  const data = new Uint8Array([...placed.element.data, 0, 0, 0, 0]);
  assert.equal(elementId({ ...placed, element: { ...placed.element, data } }), elementId(placed));
});

test('settings of a network are its membership in sets', () => {
  const network: FirewallNetwork = {
    networkId: 'n',
    bridge: 'br0',
    ipv4Subnets: [],
    ipv6Subnets: [],
    internal: false,
    masquerade: true,
    icc: true,
  };
  const sets = (changes: Partial<FirewallNetwork>): string[] =>
    networkElements({ ...network, ...changes }).map((placed) => placed.set);
  assert.deepEqual(sets({}), ['bridges', 'bridge_pairs', 'same_network', 'masquerade', 'masquerade6']);
  assert.deepEqual(sets({ internal: true }), ['bridges', 'bridge_pairs', 'same_network', 'internal']);
  assert.deepEqual(sets({ icc: false, masquerade: false }), ['bridges', 'bridge_pairs']);
  assert.deepEqual(sets({ gatewayModes: { ipv4: 'routed', ipv6: 'nat-unprotected' } }).slice(3), [
    'routed',
    'unprotected6',
    'masquerade6',
  ]);
  const source = { sourceAddresses: { ipv4: '192.0.2.9', ipv6: '' }, trustedInterfaces: ['eth7'] };
  assert.deepEqual(sets(source).slice(3), ['source', 'masquerade6', 'trusted']);
});

test('chains of others that drop what we forward', () => {
  const chain: NftChainInfo = {
    family: 'ip',
    table: 'filter',
    chain: 'FORWARD',
    type: 'filter',
    hook: 'forward',
    priority: 0,
    policy: 'drop',
  };
  assert.ok(dropsForwards(chain, 'slipway'));
  assert.ok(!dropsForwards({ ...chain, policy: 'accept' }, 'slipway'));
  assert.ok(!dropsForwards({ ...chain, hook: 'input' }, 'slipway'));
  assert.ok(!dropsForwards({ ...chain, family: 'bridge' }, 'slipway'));
  assert.ok(!dropsForwards({ ...chain, family: 'inet', table: 'slipway' }, 'slipway'));
  const firewalld = {
    ...chain,
    family: 'inet',
    table: 'firewalld',
    chain: 'filter_FORWARD',
    policy: 'accept',
  } as const;
  assert.ok(dropsForwards(firewalld, 'slipway'));
  const rules = planForeignRules('slipway', ['br0'], chain, []);
  assert.deepEqual(
    rules.map((rule) => rule.change === 'addRule' && [rule.comment, rule.first]),
    [
      ['slipway: in br0', true],
      ['slipway: out br0', true],
    ],
  );
  const present = ['slipway: in br0', 'slipway: out br1', 'other: in br0', ''].map((comment, at) => ({
    family: 'ip' as const,
    table: 'filter',
    chain: 'FORWARD',
    handle: BigInt(at),
    comment,
    jumpsTo: [],
  }));
  assert.equal(planForeignRules('slipway', ['br0'], chain, present).length, 1);
  assert.deepEqual(
    planForeignRemoval('slipway', ['br0'], present).map(
      (change) => change.change === 'deleteRule' && change.handle,
    ),
    [1n],
  );
});

test('rules in foreign chains: behind the way into the chain that Docker leaves to the administrator', () => {
  const ref = { family: 'ip', table: 'filter', chain: 'FORWARD' } as const;
  const chain: NftChainInfo = { ...ref, hook: 'forward', type: 'filter', priority: 0, policy: 'drop' };
  const users: NftChainInfo = { ...chain, chain: 'DOCKER-USER', hook: '', type: '', policy: '' };
  const rule = (handle: bigint, comment: string, jumpsTo: readonly string[] = []): NftRuleInfo => ({
    ...ref,
    handle,
    comment,
    jumpsTo,
  });
  const planned = (rules: readonly NftRuleInfo[], chains = [chain, users]): readonly unknown[] =>
    planForeignRules('slipway', ['br0'], chain, rules, chains).map((change) => {
      if (change.change === 'deleteRule') return `delete ${change.handle}`;
      if (change.change !== 'addRule') return change.change;
      return `${change.comment} ${change.after === undefined ? 'first' : `after ${change.after}`}`;
    });
  const jump = rule(7n, '', ['DOCKER-USER']);
  assert.deepEqual(planned([jump]), ['slipway: in br0 after 7', 'slipway: out br0 after 7']);
  const [one, two] = [rule(8n, 'slipway: in br0'), rule(9n, 'slipway: out br0')];
  assert.deepEqual(planned([jump, one, two]), [], 'they stand as they should');
  assert.deepEqual(planned([one, jump, two]), ['delete 8', 'slipway: in br0 after 7']);
  assert.deepEqual(
    planned([one, two]),
    [
      'delete 8',
      'delete 9',
      'slipway: in br0 first',
      'slipway: out br0 first',
      'slipway: DOCKER-USER first first',
    ],
    'nothing leads there: we do',
  );
  const ours = rule(10n, 'slipway: DOCKER-USER first', ['DOCKER-USER']);
  assert.deepEqual(planned([ours, one, two]), []);
  assert.deepEqual(planned([one, two], [chain]), [], 'there is no such chain');
  assert.deepEqual(planForeignRemoval('slipway', ['br0'], [ours, one]), []);
  assert.equal(planForeignRemoval('slipway', [], [ours, one]).length, 2);
});
