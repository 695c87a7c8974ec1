import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCidr, type Cidr } from '../../../core/ip.ts';
import { NetworkAddresses } from './addresses.ts';
import { planPools, type PoolSurroundings } from './pools.ts';

const cidr = (text: string): Cidr => {
  const parsed = parseCidr(text);
  assert.ok(parsed);
  return parsed.cidr;
};
const around = (used: string[] = [], hostRoutes: string[] = []): PoolSurroundings => ({
  used: used.map(cidr),
  hostRoutes: hostRoutes.map(cidr),
  engineId: 'engine',
});
const subnets = (request: Parameters<typeof planPools>[0], where = around()): string[] =>
  planPools(request, where).pools.map((pool) => `${pool.subnet} ${pool.gateway}`);

test('default pools come in order and step over networks and host routes', () => {
  assert.deepEqual(subnets({}), ['172.17.0.0/16 172.17.0.1']);
  assert.deepEqual(subnets({}, around(['172.17.0.0/16'], ['172.18.5.0/24'])), ['172.19.0.0/16 172.19.0.1']);
  const first20 = Array.from({ length: 15 }, (_, index) => `172.${17 + index}.0.0/16`);
  assert.deepEqual(subnets({}, around(first20)), ['192.168.0.0/20 192.168.0.1']);
  assert.throws(() => subnets({}, around([...first20, '192.168.0.0/16'])), /fully subnetted/);
});

test('a subnet of the user: host bits, gateway, range, reserved addresses', () => {
  const plan = planPools(
    { ipam: { config: [{ subnet: '182.18.0.1/24', gateway: '182.18.0.1' }] } },
    around(),
  );
  assert.deepEqual(plan.pools, [{ subnet: '182.18.0.0/24', gateway: '182.18.0.1' }]);
  assert.equal(plan.warnings.length, 1);
  assert.deepEqual(
    planPools(
      {
        ipam: {
          config: [{ subnet: '10.5.0.0/16', ipRange: '10.5.8.0/24', auxAddresses: { r: '10.5.8.1' } }],
        },
      },
      around(),
    ).pools,
    [{ subnet: '10.5.0.0/16', ipRange: '10.5.8.0/24', gateway: '10.5.8.0', auxAddresses: { r: '10.5.8.1' } }],
  );
});

test('what cannot hold is refused in Docker words', () => {
  const refused = (config: Record<string, string>, message: RegExp, used: string[] = []): void => {
    assert.throws(() => planPools({ ipam: { config: [config] } }, around(used)), { message });
  };
  refused({ subnet: '10.0.0.0/40' }, /invalid subnet 10\.0\.0\.0\/40: invalid CIDR block notation/);
  refused({ subnet: '10.0.0.0/24', gateway: '10.0.1.1' }, /doesn't contain this address/);
  refused(
    { subnet: '10.0.0.0/24', gateway: 'fd00::1' },
    /invalid gateway fd00::1: parent subnet is an IPv4 block/,
  );
  refused({}, /invalid subnet : invalid CIDR block notation/);
  refused({ gateway: '10.0.0.1' }, /invalid subnet : invalid CIDR block notation/);
  refused({ subnet: '10.0.0.0/24', ipRange: '10.0.1.0/25' }, /doesn't contain ip-range/);
  refused({ subnet: '10.0.0.0/24', ipRange: '10.0.0.0/16' }, /bigger than its parent subnet 10\.0\.0\.0\/24/);
  refused({ subnet: '10.0.0.0/24', ipRange: '10.0.0.9/28' }, /it should be 10\.0\.0\.0\/28/);
  refused({ subnet: '10.0.0.0/24' }, /Pool overlaps with other one on this address space/, ['10.0.0.128/25']);
});

test('the network and broadcast addresses, and what is taken twice, are refused as Docker does when it takes them', () => {
  const plan = (pool: object, more = {}) => planPools({ ipam: { config: [pool] }, ...more }, around()).pools;
  const refused = (pool: object, message: RegExp, more = {}): void =>
    assert.throws(() => plan(pool, more), { message });
  const net = { subnet: '10.0.0.0/24' };
  for (const gateway of ['10.0.0.0', '10.0.0.255'])
    refused({ ...net, gateway }, /^failed to allocate gateway \(10\.0\.0\.\d+\): Address already in use$/);
  const aux = (auxAddresses: Record<string, string>, message: RegExp): void =>
    refused({ ...net, auxAddresses }, message);
  aux({ a: '10.0.0.1' }, /secondary ip address \(a:10\.0\.0\.1\): Address already in use/);
  aux({ a: '10.0.0.5', b: '10.0.0.5' }, /secondary ip address \(b:10\.0\.0\.5\): Address already in use/);
  aux({ a: '10.0.0.255' }, /secondary ip address \(a:10\.0\.0\.255\)/);
  aux({ a: '10.1.0.5' }, /invalid auxiliary address a: parent subnet 10\.0\.0\.0\/24 doesn't contain/);
  aux({ a: 'x' }, /invalid auxiliary address a: invalid address/);
  const six = { enableIPv6: true };
  refused({ subnet: 'fd00::/64', gateway: 'fd00::' }, /failed to allocate gateway \(fd00::\)/, six);
  refused(
    { subnet: 'fd00::/128' },
    /failed to allocate gateway \(\): no available addresses on this pool/,
    six,
  );
  refused({ subnet: '::ffff:10.9.0.0/120' }, /these stand for IPv4 addresses/, six);
  assert.equal(plan({ subnet: 'fd00::/127' }, six)[0]?.gateway, 'fd00::1');
  assert.equal(plan({ subnet: '10.0.0.0/31' })[0]?.gateway, '10.0.0.0');
  assert.equal(plan({ subnet: '10.0.0.0/32' })[0]?.gateway, '10.0.0.0');
});

test('a subnet of a version that the network does not have is left out, with a warning', () => {
  const config = [{ subnet: '10.0.0.0/24' }, { subnet: 'fd00::/64' }];
  const four = planPools({ ipam: { config } }, around());
  assert.deepEqual(four.pools, [{ subnet: '10.0.0.0/24', gateway: '10.0.0.1' }]);
  assert.deepEqual(four.warnings, ['subnet fd00::/64 is not used: the network has no IPv6']);
  const six = planPools({ ipam: { config }, enableIPv4: false, enableIPv6: true }, around());
  assert.deepEqual(
    six.pools.map(({ subnet }) => subnet),
    ['fd00::/64'],
  );
  assert.equal(six.warnings.length, 1);
});

test('IPv6 is given a private prefix of the engine unless a subnet is asked', () => {
  const [v4, v6] = subnets({ enableIPv6: true });
  assert.equal(v4, '172.17.0.0/16 172.17.0.1');
  assert.match(v6 ?? '', /^fd[0-9a-f:]+\/64 fd[0-9a-f:]+::1$/);
  assert.deepEqual(
    subnets({ enableIPv4: false, enableIPv6: true, ipam: { config: [{ subnet: '2001:db8::/64' }] } }),
    ['2001:db8::/64 2001:db8::1'],
  );
});

test('subnets that no network can have', () => {
  for (const [subnet, message] of [
    ['127.0.0.0/8', /invalid subnet 127\.0\.0\.0\/8: these are loopback addresses/],
    ['127.5.0.0/16', /loopback/],
    ['239.1.0.0/16', /these are multicast addresses/],
    ['ff05::/64', /these are multicast addresses/],
    ['::1/128', /this is the loopback address/],
    ['fe80::/10', /^clash with the Link-Local prefix 'fe80::\/64'$/],
    ['fe80::1:0/112', /Link-Local/],
  ] as const)
    assert.throws(() => subnets({ enableIPv6: true, ipam: { config: [{ subnet }] } }), { message }, subnet);
});

test('addresses: lowest free, released ones again, static ones, exhaustion', () => {
  const pool = new NetworkAddresses([{ subnet: '10.0.0.0/29', gateway: '10.0.0.1' }], 'web (id)');
  assert.deepEqual(pool.claim(4), { address: '10.0.0.2', prefix: 29, gateway: '10.0.0.1' });
  assert.equal(pool.claimStatic('10.0.0.4').address, '10.0.0.4');
  assert.throws(() => pool.claimStatic('10.0.0.4'), /Address already in use/);
  assert.throws(() => pool.claimStatic('10.0.0.1'), /Address already in use/);
  assert.throws(() => pool.claimStatic('10.0.1.1'), /does not belong/);
  assert.deepEqual(
    [pool.claim(4).address, pool.claim(4).address, pool.claim(4).address],
    ['10.0.0.3', '10.0.0.5', '10.0.0.6'],
  );
  assert.throws(() => pool.claim(4), {
    message: "no available IPv4 addresses on this network's address pools: web (id)",
  });
  pool.release('10.0.0.3');
  pool.release('10.0.0.3');
  pool.release('10.0.0.1');
  assert.equal(pool.claim(4).address, '10.0.0.3');
  assert.throws(() => pool.claim(4));
  assert.throws(() => pool.claim(6));
});

test('a range limits what is given, not what may be asked for', () => {
  const pool = new NetworkAddresses(
    [
      {
        subnet: '10.0.0.0/24',
        ipRange: '10.0.0.128/31',
        gateway: '10.0.0.128',
        auxAddresses: { x: '10.0.0.7' },
      },
    ],
    'x',
  );
  assert.equal(pool.claim(4).address, '10.0.0.129');
  assert.throws(() => pool.claim(4));
  assert.equal(pool.claimStatic('10.0.0.9').address, '10.0.0.9');
  assert.throws(() => pool.claimStatic('10.0.0.7'), /in use/);
  pool.release('10.0.0.9');
  assert.throws(() => pool.claim(4));
});
