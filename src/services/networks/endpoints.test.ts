import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostConfig, NetworkingConfig } from '../../core/model/container-spec.ts';
import type { NetworkRecord } from '../../core/model/network.ts';
import { notFound } from '../../core/errors.ts';
import { planEndpoints, renamedEndpoints } from './endpoints.ts';

function network(name: string, predefined = false): NetworkRecord {
  return {
    id: `${name}-id`,
    name,
    createdAt: '',
    driver: 'bridge',
    scope: 'local',
    ipam: { driver: 'default', options: {}, pools: [{ subnet: '10.1.0.0/16', gateway: '10.1.0.1' }] },
    enableIPv4: true,
    enableIPv6: false,
    internal: false,
    attachable: false,
    options: {},
    labels: {},
    predefined,
  };
}
const known = [
  network('bridge', true),
  network('host', true),
  network('none', true),
  network('app'),
  network('back'),
];
const find = (reference: string): NetworkRecord => {
  const found = known.find((one) => one.name === reference || one.id === reference);
  if (found === undefined) throw notFound(`network ${reference} not found`);
  return found;
};
const plan = (
  hostConfig: HostConfig,
  EndpointsConfig?: NetworkingConfig['EndpointsConfig'],
): ReturnType<typeof planEndpoints> =>
  planEndpoints(
    {
      containerId: 'abcdef0123456789',
      containerName: 'web',
      config: { Hostname: 'box' },
      hostConfig,
      networking: EndpointsConfig === undefined ? undefined : { EndpointsConfig },
    },
    find,
  );

test('the network of NetworkMode comes first, whatever it is called', () => {
  assert.deepEqual(Object.keys(plan({})), ['bridge']);
  assert.deepEqual(Object.keys(plan({ NetworkMode: 'default' }, { default: {} })), ['bridge']);
  assert.deepEqual(Object.keys(plan({ NetworkMode: 'app-id' }, { back: {}, 'app-id': null })), [
    'app',
    'back',
  ]);
  assert.deepEqual(plan({ NetworkMode: 'container:other' }), {});
  assert.deepEqual(Object.keys(plan({ NetworkMode: 'none' })), ['none']);
});

test('names are answered on user-defined networks only', () => {
  assert.deepEqual(plan({})['bridge']?.dnsNames, []);
  const app = plan({ NetworkMode: 'app' }, { app: { Aliases: ['www', 'web'] } })['app'];
  assert.deepEqual(app?.dnsNames, ['web', 'www', 'abcdef012345', 'box']);
  assert.ok(app);
  const renamed = renamedEndpoints({ app }, 'web', 'site');
  assert.deepEqual(
    renamed['app']?.dnsNames,
    ['site', 'web', 'www', 'abcdef012345', 'box'],
    'web is an alias too',
  );
});

test('settings that cannot hold are refused', () => {
  const refused = (message: RegExp, ...input: Parameters<typeof plan>): void => {
    assert.throws(() => plan(...input), { message });
  };
  const fixed = { IPAMConfig: { IPv4Address: '10.1.0.9' } };
  refused(/user specified IP address is supported on user defined networks only/, {}, { bridge: fixed });
  refused(
    /network-scoped alias is supported only for containers in user defined networks/,
    {},
    { bridge: { Aliases: ['x'] } },
  );
  refused(
    /no configured subnet or ip-range contain the IP address 10\.2\.0\.9/,
    { NetworkMode: 'app' },
    {
      app: { IPAMConfig: { IPv4Address: '10.2.0.9' } },
    },
  );
  refused(/invalid IPv4 address/, { NetworkMode: 'app' }, { app: { IPAMConfig: { IPv4Address: 'x' } } });
  refused(/invalid MAC address/, {}, { bridge: { MacAddress: 'zz' } });
  for (const MacAddress of ['01:00:5e:00:00:01', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00'])
    refused(/invalid MAC address .*: no interface can have it/, {}, { bridge: { MacAddress } });
  refused(/network gone not found/, { NetworkMode: 'gone' });
  refused(/host network/, { NetworkMode: 'host' }, { host: {}, app: {} });
  refused(/private \(none\) mode/, { NetworkMode: 'none' }, { none: {}, app: {} });
  assert.ok(plan({ NetworkMode: 'app' }, { app: fixed })['app']);
});
