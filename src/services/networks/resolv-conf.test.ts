import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResolvConf, resolvConf, upstreamServers, type ResolvConfRequest } from './resolv-conf.ts';

const host = parseResolvConf(`# comment
nameserver 127.0.0.53
nameserver 10.0.0.2   # office
nameserver fd00::53
nameserver bogus
search example.com corp.example.com
options edns0 trust-ad
`);
const conf = (changes: Partial<ResolvConfRequest>): string[] =>
  resolvConf({ host, embedded: false, ipv6: false, dns: [], dnsSearch: [], dnsOptions: [], ...changes })
    .trim()
    .split('\n');

test('the host file is read', () => {
  assert.deepEqual(host, {
    servers: ['127.0.0.53', '10.0.0.2', 'fd00::53'],
    search: ['example.com', 'corp.example.com'],
    options: ['edns0', 'trust-ad'],
  });
  assert.deepEqual(parseResolvConf(''), { servers: [], search: [], options: [] });
});

test('on the default bridge: the servers that the container can reach itself', () => {
  assert.deepEqual(conf({}), [
    'nameserver 10.0.0.2',
    'search example.com corp.example.com',
    'options edns0 trust-ad',
  ]);
  assert.equal(conf({ ipv6: true })[1], 'nameserver fd00::53');
  const onlyLoopback = { servers: ['127.0.0.1'], search: [], options: [] };
  assert.deepEqual(conf({ host: onlyLoopback }), ['nameserver 8.8.8.8', 'nameserver 8.8.4.4']);
});

test('with the embedded DNS: its address alone', () => {
  assert.deepEqual(conf({ embedded: true }), [
    'nameserver 127.0.0.11',
    'search example.com corp.example.com',
    'options edns0 trust-ad ndots:0',
  ]);
  assert.equal(conf({ embedded: true, dnsOptions: ['ndots:3'] }).at(-1), 'options ndots:3');
});

test('what the user asks comes instead', () => {
  assert.deepEqual(conf({ dns: ['1.1.1.1'], dnsSearch: ['.'], dnsOptions: ['rotate'] }), [
    'nameserver 1.1.1.1',
    'options rotate',
  ]);
});

test('loopback servers are asked from the host', () => {
  assert.deepEqual(upstreamServers({ host, dns: [] }), [
    { address: '127.0.0.53', hostNamespace: true },
    { address: '10.0.0.2', hostNamespace: false },
    { address: 'fd00::53', hostNamespace: true },
  ]);
  assert.deepEqual(upstreamServers({ host, dns: ['9.9.9.9'] }), [
    { address: '9.9.9.9', hostNamespace: false },
  ]);
});
