import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortClaims } from './claims.ts';
import { portRequests, type PortRequest } from './requests.ts';

const both = { address: '0.0.0.0', ipv6: true };
const requests = (
  bindings: Record<string, { HostIp?: string; HostPort?: string }[]>,
): readonly PortRequest[] => portRequests({}, { PortBindings: bindings }, both);

test('bindings become requests', () => {
  assert.deepEqual(requests({ '80/tcp': [{ HostPort: '8080' }], '53/udp': [{ HostIp: '127.0.0.1' }] }), [
    { protocol: 'tcp', containerPort: 80, hostIps: ['0.0.0.0', '::'], range: { first: 8080, last: 8080 } },
    { protocol: 'udp', containerPort: 53, hostIps: ['127.0.0.1'], range: undefined },
  ]);
  assert.deepEqual(requests({ '80': [{ HostIp: '::1', HostPort: '8000-8002' }] }), [
    { protocol: 'tcp', containerPort: 80, hostIps: ['::1'], range: { first: 8000, last: 8002 } },
  ]);
  for (const bad of [
    { 'x/tcp': [{}] },
    { '80/icmp': [{}] },
    { '80/tcp': [{ HostPort: '99999' }] },
    { '80/tcp': [{ HostPort: '9-8' }] },
    { '80/tcp': [{ HostIp: 'localhost' }] },
  ])
    assert.throws(() => requests(bad), JSON.stringify(bad));
});

test('a host without IPv6: IPv4 alone, and IPv6 addresses are refused in clear words', () => {
  const ask = (HostIp: string): readonly PortRequest[] =>
    portRequests({}, { PortBindings: { '80/tcp': [{ HostIp }] } }, { ...both, ipv6: false });
  assert.deepEqual(ask('')[0]?.hostIps, ['0.0.0.0']);
  for (const address of ['::1', '[::]'])
    assert.throws(() => ask(address), /no port can be published on .*: IPv6 is not available on this host/);
});

test('publish-all adds the exposed ports that have no binding', () => {
  const made = portRequests(
    { ExposedPorts: { '80/tcp': {}, '443/tcp': {} } },
    { PublishAllPorts: true, PortBindings: { '80/tcp': [{ HostPort: '8080' }] } },
    { address: '10.1.1.1', ipv6: true },
  );
  assert.deepEqual(
    made.map((request) => [request.containerPort, request.hostIps, request.range?.first]),
    [
      [80, ['10.1.1.1'], 8080],
      [443, ['10.1.1.1'], undefined],
    ],
  );
});

test('a port is claimed once, wildcard against address too, and again after release', () => {
  const claims = new PortClaims({ first: 32_768, last: 60_999 });
  claims.claim('a', requests({ '80/tcp': [{ HostPort: '80' }] }));
  const message = 'Bind for 0.0.0.0:80 failed: port is already allocated';
  assert.throws(() => claims.claim('b', requests({ '80/tcp': [{ HostPort: '80' }] })), { message });
  assert.throws(() => claims.claim('b', requests({ '1/tcp': [{ HostIp: '127.0.0.1', HostPort: '80' }] })), {
    message: 'Bind for 127.0.0.1:80 failed: port is already allocated',
  });
  claims.claim('b', requests({ '80/udp': [{ HostPort: '80' }] }));
  claims.release('a');
  claims.release('a');
  claims.claim('b', requests({ '1/tcp': [{ HostIp: '127.0.0.1', HostPort: '80' }] }));
  claims.claim('c', requests({ '1/tcp': [{ HostIp: '127.0.0.2', HostPort: '80' }] }));
  assert.throws(() => claims.claim('d', requests({ '80/tcp': [{ HostPort: '80' }] })), { message });
});

test('all or nothing', () => {
  const claims = new PortClaims({ first: 32_768, last: 60_999 });
  claims.adopt('a', [{ protocol: 'tcp', containerPort: 1, hostIp: '0.0.0.0', hostPort: 81 }]);
  const two = requests({ '80/tcp': [{ HostPort: '80' }], '81/tcp': [{ HostPort: '81' }] });
  assert.throws(() => claims.claim('b', two), /0\.0\.0\.0:81 failed/);
  assert.equal(claims.claim('c', requests({ '80/tcp': [{ HostPort: '80' }] })).length, 2);
});

test('ephemeral ports go up, wrap around and end; ranges give the first free one', () => {
  const claims = new PortClaims({ first: 40_000, last: 40_002 });
  const any = requests({ '80/tcp': [{}] });
  const portOf = (id: string): number | undefined => claims.claim(id, any)[0]?.hostPort;
  assert.deepEqual([portOf('a'), portOf('b')], [40_000, 40_001]);
  claims.release('a');
  assert.deepEqual([portOf('c'), portOf('d')], [40_002, 40_000]);
  assert.throws(() => portOf('e'), /all ports are allocated/);
  const range = requests({ '80/tcp': [{ HostPort: '90-91' }] });
  assert.equal(claims.claim('x', range)[0]?.hostPort, 90);
  assert.equal(claims.claim('y', range)[0]?.hostPort, 91);
  assert.throws(() => claims.claim('z', range), /all ports are allocated/);
});

test('an ephemeral port that the host uses is exchanged', () => {
  const claims = new PortClaims({ first: 40_000, last: 40_002 });
  const got = claims.claim('a', requests({ '80/tcp': [{}] }));
  assert.deepEqual(
    claims.exchange('a', got).map((port) => [port.hostIp, port.hostPort, port.dynamic]),
    [
      ['0.0.0.0', 40_001, true],
      ['::', 40_001, true],
    ],
  );
});
