import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleNetwork } from '../../../../tests/contracts/network-driver.contract.ts';
import { backgroundCtx } from '../../../core/ctx.ts';
import { silentLogger } from '../../../core/log.ts';
import type { LinkInfo } from '../../../core/ports/host.ts';
import type { EndpointPlan } from '../../../core/ports/network-driver.ts';
import { createBridgeDriver, type BridgeHost } from './index.ts';
import { aliasOf, bridgeMac, planBridge, planEndpoint } from './plan.ts';

const network = { ...sampleNetwork('bridge'), bridgeName: 'br-test' };
const link: LinkInfo = {
  index: 7,
  name: 'br-test',
  kind: 'bridge',
  mtu: 1400,
  up: true,
  mac: '',
  master: 0,
  alias: aliasOf('slipway', network.id),
};
const addresses = [{ linkIndex: 7, address: '10.77.0.1/24', family: 4 as const }];
const names = (operations: readonly { readonly op: string }[]): string[] => operations.map(({ op }) => op);

test('a bridge is made whole, left alone when whole, and repaired in what differs', () => {
  const made = planBridge('slipway', network, 1400, { link: undefined, addresses: [] });
  assert.equal(made[0]?.op, 'createBridge');
  assert.deepEqual(made.at(-1), { op: 'setLink', name: 'br-test', up: true });
  assert.deepEqual(planBridge('slipway', network, 1400, { link, addresses }), []);
  assert.deepEqual(names(planBridge('slipway', network, 1400, { link, addresses: [] })), ['addAddress']);
  assert.deepEqual(planBridge('slipway', network, 1500, { link, addresses }), [
    { op: 'setLink', name: 'br-test', mtu: 1500 },
  ]);
  assert.equal(
    names(planBridge('slipway', network, 1400, { link: { ...link, up: false }, addresses })).at(-1),
    'setLink',
  );
});

test('a bridge that was left without its alias is made anew and removed; one of the user stays', async () => {
  const context = backgroundCtx(silentLogger);
  const done: string[] = [];
  const driverBeside = (there: LinkInfo) =>
    createBridgeDriver({
      instance: 'slipway',
      host: {
        facts: () => Promise.resolve({ uplinkMtu: 1400 }),
        links: () => Promise.resolve([there]),
        addresses: () => Promise.resolve(addresses),
        link: (_namespace: unknown, operations: readonly { readonly op: string }[]) => {
          done.push(...names(operations));
          return Promise.resolve();
        },
      } as unknown as BridgeHost,
    });
  const halfMade = driverBeside({ ...link, alias: '', mac: bridgeMac(network.id) });
  await halfMade.ensure(context, network);
  assert.deepEqual(done.splice(0).slice(0, 2), ['deleteLink', 'createBridge']);
  await halfMade.remove(context, network);
  assert.deepEqual(done.splice(0), ['deleteLink']);
  const own = driverBeside({ ...link, alias: '', mac: '02:00:00:00:00:01' });
  await own.ensure(context, network);
  await own.remove(context, network);
  assert.deepEqual(done, []);
});

test('an endpoint is one program: a port of the bridge, then the inside', () => {
  const plan: EndpointPlan = {
    network,
    endpointId: 'e',
    containerId: 'c',
    interfaceName: 'eth0',
    hostInterfaceName: 'veth1',
    macAddress: '02:42:0a:4d:00:02',
    ipv4: '10.77.0.2/24',
    ipv4Gateway: '10.77.0.1',
    ipv6: '',
    ipv6Gateway: '',
    defaultRoute: true,
    sysctls: ['net.ipv4.conf.IFNAME.log_martians=1'],
    published: false,
  };
  const [host, inside] = planEndpoint('/ns', plan, 1400).steps;
  assert.deepEqual(names(host?.operations ?? []), ['createVeth', 'setLink']);
  assert.deepEqual(names(inside?.operations ?? []), [
    'sysctl',
    'sysctl',
    'sysctl',
    'addAddress',
    'setLink',
    'addRoute',
  ]);
  assert.ok(
    inside?.operations?.some((one) => one.op === 'sysctl' && one.key === 'net/ipv4/conf/eth0/log_martians'),
  );
  const closed = { ...network, options: { 'com.docker.network.bridge.enable_icc': 'false' } };
  const apart = planEndpoint('/ns', { ...plan, network: closed, published: true, defaultRoute: false }, 1400);
  assert.deepEqual(names(apart.steps[0]?.operations ?? []), [
    'createVeth',
    'setBridgePort',
    'setBridgePort',
    'setLink',
  ]);
  assert.ok(!names(apart.steps[1]?.operations ?? []).includes('addRoute'));
});

test('names of bridges: given, default, derived; what cannot be an interface is refused', () => {
  const driver = createBridgeDriver({ host: {} as BridgeHost, instance: 'slipway' });
  const nameOf = (options: Record<string, string>, predefined = false): string | undefined =>
    driver.validate({ ...sampleNetwork('bridge', options), predefined }).bridgeName;
  assert.equal(nameOf({}, true), 'slipway0');
  assert.match(nameOf({}) ?? '', /^br-[0-9a-f]{12}$/);
  assert.equal(nameOf({ 'com.docker.network.bridge.name': 'lab0' }), 'lab0');
  for (const bad of ['a/b', '..', '', 'waytoolonginterface', 'sp ace', '-x'].filter((name) => name !== ''))
    assert.throws(() => nameOf({ 'com.docker.network.bridge.name': bad }), /invalid bridge name/, bad);
  assert.throws(() => nameOf({ 'com.docker.network.driver.mtu': '12' }), /invalid MTU number: 12/);
});
