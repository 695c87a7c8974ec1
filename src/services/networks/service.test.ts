import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeFirewall, type FakeTable } from '../../../tests/contracts/fakes/firewall.ts';
import { createMemoryRecords } from '../../../tests/contracts/fakes/memory-records.ts';
import { createFakeNetHelper, FakeNetd } from '../../../tests/contracts/fakes/net-helper.ts';
import { createFakeIpam, FakePools } from '../../../tests/contracts/fakes/ipam.ts';
import { createFakeLinks, createFakeNetworkDriver } from '../../../tests/contracts/fakes/network-driver.ts';
import { backgroundCtx } from '../../core/ctx.ts';
import { internal, isKind } from '../../core/errors.ts';
import { EventBus } from '../../core/events.ts';
import { newId } from '../../core/ids.ts';
import { silentLogger } from '../../core/log.ts';
import type { HostConfig, NetworkingConfig } from '../../core/model/container-spec.ts';
import { initialState, type ContainerRecord } from '../../core/model/container.ts';
import { createNetworksService, type NetworkReservation, type NetworksService } from './index.ts';

const ctx = backgroundCtx();

/** Throws from the k-th call of any function of the wrapped objects on. */
class Faults {
  calls = 0;
  failAt = Infinity;
  /** Functions that take effect a turn of the event loop later than others called with them. */
  readonly slow = new Set<string>();

  wrap<T extends object>(target: T, except: readonly string[] = []): T {
    return new Proxy(target, {
      get: (object, key) => {
        const value: unknown = Reflect.get(object, key);
        if (typeof value !== 'function' || except.includes(String(key))) return value;
        return (...args: unknown[]): unknown => {
          this.calls++;
          if (this.calls === this.failAt) return Promise.reject(internal(`fault at call ${this.calls}`));
          if (this.slow.has(String(key)))
            return new Promise((resolve) => setImmediate(resolve)).then(() =>
              Reflect.apply(value, object, args),
            );
          return Reflect.apply(value, object, args);
        };
      },
    });
  }
}

class Fixture {
  readonly links = createFakeLinks();
  readonly table: FakeTable = { current: undefined };
  readonly netd = new FakeNetd();
  readonly events = new EventBus();
  readonly records = createMemoryRecords();
  readonly faults = new Faults();
  readonly containers = new Map<string, ContainerRecord>();
  readonly pools = new FakePools();
  service: NetworksService = this.make();
  last = 0;

  make(): NetworksService {
    const noLinks = (name: string): ReturnType<typeof createFakeNetworkDriver> => ({
      ...createFakeNetworkDriver(createFakeLinks(), name),
      validate: (network) => network,
    });
    const service = createNetworksService({
      engineId: 'e',
      records: this.faults.wrap(this.records),
      events: this.events,
      drivers: [
        this.faults.wrap(createFakeNetworkDriver(this.links), ['validate']),
        noLinks('host'),
        noLinks('null'),
      ],
      plugins: {
        load: () => Promise.resolve(undefined),
        loaded: () => undefined,
        loadIpam: () => {
          // A call that gives back fails with a program that is away, never by itself.
          const driver = this.faults.wrap(createFakeIpam(this.pools), ['releasePool', 'releaseAddress']);
          return Promise.resolve(driver);
        },
      },
      firewall: this.faults.wrap(createFakeFirewall(this.table), ['status']),
      helper: this.faults.wrap(createFakeNetHelper(this.netd), ['onRestart', 'close']),
      host: {
        createNetns: () => Promise.resolve({ fd: -1, path: `/fake/${++this.last}` }),
        routes: () => Promise.resolve([]),
      },
      facts: { ipv6: false, ephemeralPorts: { first: 32_768, last: 32_800 }, readResolvConf: () => '' },
      log: silentLogger,
    });
    service.bindContainers({
      find: (reference) => [...this.containers.values()].find((one) => one.name === reference)!,
      list: () => [...this.containers.values()],
      update: async (_ctx, id, change) => {
        const record = await change(this.containers.get(id)!);
        this.containers.set(id, record);
        return record;
      },
      namespace: (record) => ({ path: `/fake/${record.name}` }),
      networksChanged: () => Promise.resolve(),
    });
    return service;
  }

  plan(name: string, hostConfig: HostConfig = {}, networking?: NetworkingConfig): ContainerRecord {
    const id = newId();
    const config = {};
    const endpoints = this.service.planEndpoints({
      containerId: id,
      containerName: name,
      config,
      hostConfig,
      networking,
    });
    const empty = {
      createdAt: '',
      imageId: '',
      imageRef: '',
      platform: '',
      path: '',
      args: [],
      driver: '',
      snapshotKey: '',
    };
    const rest = { mounts: [], restartCount: 0, manuallyStopped: false, logPath: '', runtime: '', ports: [] };
    return {
      ...empty,
      ...rest,
      id,
      name,
      config,
      hostConfig,
      endpoints,
      state: { ...initialState, status: 'running' },
    };
  }

  /** The engine's own addresses are claimed before anything else can run. */
  reserve(record: ContainerRecord): NetworkReservation {
    const claimed = this.service.reserve(record);
    assert.ok(!(claimed instanceof Promise));
    return claimed;
  }

  async start(record: ContainerRecord): Promise<ContainerRecord> {
    const reserved = { ...record, ...this.reserve(record) };
    this.containers.set(record.id, reserved);
    const ports = await this.service.attach(ctx, reserved, { path: `/fake/${record.name}` });
    const started = { ...reserved, ports };
    this.containers.set(record.id, started);
    return started;
  }

  /** What the pretended kernel and slipway-net hold. */
  world(): unknown {
    return {
      endpoints: [...this.links.endpoints.keys()].toSorted(),
      bridges: [...this.links.bridges].toSorted(),
      ports: [...(this.table.current?.ports.keys() ?? [])].toSorted(),
      walls: [...(this.table.current?.networks.keys() ?? [])].toSorted(),
      held: [...this.netd.ports.keys()].toSorted(),
      resolvers: [...this.netd.resolvers.keys()].toSorted(),
      zones: [...this.netd.zones.keys()].toSorted(),
    };
  }
}

async function fixture(): Promise<Fixture> {
  const made = new Fixture();
  await made.service.restore(ctx, []);
  return made;
}
const published: HostConfig = {
  NetworkMode: 'app',
  PortBindings: { '80/tcp': [{ HostPort: '8080' }], '53/udp': [{}] },
};

test('without IPv6 in the kernel a network that wants it is refused, and others do without', async () => {
  const fixture = new Fixture();
  await fixture.service.restore(ctx, []);
  await assert.rejects(
    fixture.service.create(ctx, { name: 'six', enableIPv6: true }),
    /IPv6 is not available on this host/,
  );
  await fixture.service.create(ctx, { name: 'four' });
  const planned = fixture.plan('a', {
    NetworkMode: 'four',
    PortBindings: { '80/tcp': [{ HostPort: '80' }] },
  });
  const { ports } = fixture.reserve(planned);
  assert.deepEqual(
    ports.map((port) => port.hostIp),
    ['0.0.0.0'],
  );
});

test('lists are filtered as Docker filters: names and ids by expressions, one value for dangling, no others', async () => {
  const { service } = await fixture();
  for (const name of ['web', 'webapp', 'app']) await service.create(ctx, { name });
  const names = (filters: Record<string, readonly string[]>): readonly string[] =>
    service.list(filters).map(({ network }) => network.name);
  assert.deepEqual(names({ name: ['^web$'] }), ['web']);
  assert.deepEqual(names({ name: ['web', '^a'] }), ['web', 'webapp', 'app']);
  assert.deepEqual(names({ name: ['(('] }), []);
  const { id } = service.inspect('app').network;
  assert.deepEqual(names({ id: [id.slice(20, 40)] }), ['app']);
  const refused = (work: () => unknown, message: RegExp): void => assert.throws(work, { message });
  refused(() => names({ dangling: ['true', 'false'] }), /got more than one value for filter key "dangling"/);
  for (const name of ['until', 'label!', 'nope'])
    refused(() => names({ [name]: ['1h'] }), /^invalid filter '/);
  await assert.rejects(service.prune(ctx, { until: ['1h', '2h'] }), /more than one until filter specified/);
});

test('a configuration network: settings that others take, nothing to join, kept while in use', async () => {
  const { service } = await fixture();
  const refused = (
    work: Promise<unknown> | (() => Promise<unknown>),
    kind: Parameters<typeof isKind>[1],
    message: RegExp,
  ): Promise<void> => assert.rejects(work, (error) => isKind(error, kind) && message.test(error.message));
  const settings = {
    options: { 'com.docker.network.bridge.enable_icc': 'false' },
    labels: { a: 'b' },
    ipam: { config: [{ subnet: '10.4.0.0/24', gateway: '10.4.0.9', auxAddresses: { r: '10.4.0.2' } }] },
  };
  await service.create(ctx, { name: 'conf', configOnly: true, driver: 'macvlan', ...settings });
  const conf = service.inspect('conf').network;
  assert.deepEqual([conf.driver, conf.configOnly, conf.labels], ['null', true, { a: 'b' }]);
  const operator = /can only contain network specific fields/;
  for (const field of [{ internal: true }, { attachable: true }, { ingress: true }, { scope: 'swarm' }])
    await refused(service.create(ctx, { name: 'c', configOnly: true, ...field }), 'forbidden', operator);
  await refused(
    service.create(ctx, { name: 'c', configOnly: true, configFrom: 'conf' }),
    'forbidden',
    /cannot depend on another configuration network/,
  );
  await refused(service.create(ctx, { name: 'conf', configOnly: true }), 'conflict', /already exists/);
  const from = (more: object) => service.create(ctx, { name: 'app', configFrom: 'conf', ...more });
  for (const own of [
    { labels: { x: '' } },
    { enableIPv6: true },
    { ipam: { config: [{ subnet: '10.5.0.0/24' }] } },
  ])
    await refused(from(own), 'forbidden', /^user specified configurations are not supported/);
  await refused(from({ options: { a: 'b' } }), 'forbidden', /^network driver options are not supported/);
  await refused(
    from({ configFrom: 'bridge' }),
    'notFound',
    /^configuration network "bridge" does not exist$/,
  );
  // Its pools are nobody's.
  await from({ internal: true });
  const app = service.inspect('app').network;
  assert.deepEqual(app.ipam.pools, [
    { subnet: '10.4.0.0/24', gateway: '10.4.0.9', auxAddresses: { r: '10.4.0.2' } },
  ]);
  assert.deepEqual(
    [app.driver, app.internal, app.configFrom, app.options, app.labels],
    ['bridge', true, 'conf', settings.options, settings.labels],
  );
  await refused(service.remove(ctx, 'conf'), 'forbidden', /configuration network "conf" is in use$/);
  const planned = () =>
    service.planEndpoints({
      containerId: newId(),
      containerName: 'c',
      config: {},
      hostConfig: { NetworkMode: 'conf' },
      networking: undefined,
    });
  assert.throws(planned, /^SlipwayError: cannot create endpoint on configuration-only network$/);
  assert.deepEqual(await service.prune(ctx), ['app']);
  await service.remove(ctx, 'conf');
  assert.deepEqual(service.list({ type: ['custom'] }), []);
});

test('verbs: Docker words for what cannot be', async () => {
  const { service, events } = await fixture();
  const seen: string[] = [];
  events.subscribe((event) => seen.push(`${event.type} ${event.action} ${event.attributes['name']}`));
  const { id } = await service.create(ctx, { name: 'app', labels: { a: 'b' } });
  const refused = (
    work: Promise<unknown>,
    kind: Parameters<typeof isKind>[1],
    message: RegExp,
  ): Promise<void> => assert.rejects(work, (error) => isKind(error, kind) && message.test(error.message));
  await refused(service.create(ctx, { name: 'app' }), 'conflict', /network with name app already exists/);
  await refused(service.create(ctx, { name: 'bridge' }), 'forbidden', /predefined bridge network/);
  await refused(
    service.create(ctx, { name: 'x', driver: 'host' }),
    'forbidden',
    /only one instance of "host"/,
  );
  await refused(service.create(ctx, { name: 'x', driver: 'nope' }), 'notFound', /plugin "nope" not found/);
  await refused(service.create(ctx, { name: ' ' }), 'invalid', /name is empty/);
  const overlapping = { name: 'x', ipam: { config: [{ subnet: '172.18.4.0/24' }] } };
  await refused(service.create(ctx, overlapping), 'forbidden', /Pool overlaps/);
  const options = { 'com.docker.network.bridge.enable_icc': 'perhaps' };
  await refused(
    service.create(ctx, { name: 'x', options }),
    'invalid',
    /^failed to parse com\.docker\.network\.bridge\.enable_icc value: perhaps \(strconv/,
  );
  await refused(
    service.remove(ctx, 'bridge'),
    'forbidden',
    /^bridge is a pre-defined network and cannot be removed$/,
  );
  await refused(service.remove(ctx, 'nope'), 'notFound', /^network nope not found$/);
  assert.equal(service.inspect(id.slice(0, 8)).network.name, 'app');
  assert.deepEqual(
    service.list({ label: ['a=b'] }).map(({ network }) => network.name),
    ['app'],
  );
  assert.deepEqual(
    service.list({ type: ['builtin'], name: ['o'] }).map(({ network }) => network.name),
    ['host', 'none'],
  );
  assert.throws(() => service.list({ colour: ['red'] }), /invalid filter 'colour'/);
  await service.remove(ctx, 'app');
  assert.deepEqual(seen, ['network create app', 'network destroy app']);
});

test('an endpoint gets the interface name that it asks for; the others keep out of its way', async () => {
  const made = await fixture();
  for (const name of ['one', 'two', 'three']) await made.service.create(ctx, { name });
  const called = (name: string): object => ({ DriverOpts: { 'com.docker.network.endpoint.ifname': name } });
  const planned = (...names: readonly (string | undefined)[]) => {
    const networks = ['one', 'two', 'three'].slice(0, names.length);
    const endpoints = networks.map((network, index) => {
      const name = names[index];
      return [network, name === undefined ? {} : called(name)];
    });
    return made.plan('web', { NetworkMode: 'one' }, { EndpointsConfig: Object.fromEntries(endpoints) });
  };
  const before = made.world();
  const { endpoints } = made.reserve(planned(undefined, 'eth0', 'lan0'));
  assert.deepEqual(
    ['one', 'two', 'three'].map((name) => endpoints[name]?.interfaceName),
    ['eth1', 'eth0', 'lan0'],
  );
  made.service.release(planned().id);
  const refused = [
    [['lan0', 'lan0'], /error renaming interface to "lan0" on network two: file exists/],
    [['lo'], /"lo" on network one: file exists/],
    [['a/b'], /"a\/b" on network one: invalid argument/],
    [['sixteen-bytes-xx'], /invalid argument/],
    [['a b'], /invalid argument/],
  ] as const;
  for (const [names, words] of refused)
    assert.throws(() => made.reserve(planned(...names)), { kind: 'internal', message: words });
  assert.deepEqual(made.world(), before, 'nothing stays claimed');
});

test('two requests at once never share a name or a subnet', async () => {
  const { service } = await fixture();
  const results = await Promise.allSettled(['a', 'b', 'c', 'a'].map((name) => service.create(ctx, { name })));
  assert.equal(results.filter((result) => result.status === 'fulfilled').length, 3);
  const subnets = service.list().flatMap(({ network }) => network.ipam.pools.map((pool) => pool.subnet));
  assert.equal(new Set(subnets).size, 4);
});

test('a container comes and goes', async () => {
  const made = await fixture();
  await made.service.create(ctx, { name: 'app' });
  const before = made.world();
  const record = await made.start(
    made.plan('web', published, { EndpointsConfig: { app: { Aliases: ['www'] } } }),
  );
  const endpoint = record.endpoints['app'];
  assert.deepEqual(
    [endpoint?.ipv4, endpoint?.ipv4Gateway, endpoint?.interfaceName],
    ['172.18.0.2', '172.18.0.1', 'eth0'],
  );
  assert.deepEqual(made.netd.lookup('/fake/web', 'www'), ['172.18.0.2']);
  assert.deepEqual(
    record.ports.map((port) => port.hostPort),
    [8080, 32_768],
  );
  assert.equal(made.service.inspect('app').members[0]?.ipv4, '172.18.0.2/16');
  assert.equal(made.service.resolvConf(record).split('\n')[0], 'nameserver 127.0.0.11');
  assert.deepEqual(made.service.hostEntries(record), [['172.18.0.2', record.id.slice(0, 12)]]);
  await assert.rejects(made.service.remove(ctx, 'app'), /has active endpoints \(name:"web"/);
  await made.service.detach(ctx, record, { path: '/fake/web' });
  await made.service.detach(ctx, record, { path: '/fake/web' });
  made.service.release(record.id);
  assert.deepEqual(made.world(), before);
  await made.service.remove(ctx, 'app');
});

test('a container with links starts, however late its resolver is there', async () => {
  const made = await fixture();
  made.faults.slow.add('attachResolver');
  await made.service.create(ctx, { name: 'app' });
  await made.start(made.plan('web', { NetworkMode: 'app' }));
  const links = { EndpointsConfig: { app: { Links: ['web:backend'] } } };
  await made.start(made.plan('client', { NetworkMode: 'app' }, links));
  assert.deepEqual(made.netd.lookup('/fake/client', 'backend'), ['172.18.0.2']);
});

test('claims that are released while the teardown runs are given back when it is done', async () => {
  const made = await fixture();
  const record = await made.start(made.plan('web', { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } }));
  const leaving = made.service.detach(ctx, record, { path: '/fake/web' });
  made.service.release(record.id);
  const other = made.plan('other', { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } });
  assert.throws(() => made.reserve(other), /port is already allocated/);
  await leaving;
  assert.equal(made.reserve(other).endpoints['bridge']?.ipv4, '172.17.0.2');
});

test('whatever call of a start fails, everything is as before', async () => {
  const made = await fixture();
  await made.service.create(ctx, { name: 'app' });
  const before = made.world();
  for (let at = 1; ; at++) {
    made.faults.calls = 0;
    made.faults.failAt = at;
    const planned = made.plan('web', published);
    let failed = false;
    try {
      const record = await made.start(planned);
      made.faults.failAt = Infinity;
      await made.service.detach(ctx, record, { path: '/fake/web' });
    } catch {
      failed = true;
    }
    made.faults.failAt = Infinity;
    made.service.release(planned.id);
    assert.deepEqual(made.world(), before, `fault at call ${at}`);
    if (!failed && made.faults.calls < at) break;
    const probe = made.plan('probe', published);
    const { endpoints, ports } = made.reserve(probe);
    assert.deepEqual(
      [endpoints['app']?.ipv4, ports[0]?.hostPort],
      ['172.18.0.2', 8080],
      `fault at call ${at}`,
    );
    made.service.release(probe.id);
  }
});

test('whatever call of a network create fails, nothing is left', async () => {
  const made = await fixture();
  const before = made.world();
  for (let at = 1; ; at++) {
    made.faults.calls = 0;
    made.faults.failAt = at;
    const made1 = await made.service.create(ctx, { name: 'app' }).catch(() => undefined);
    made.faults.failAt = Infinity;
    if (made1 !== undefined) {
      await made.service.remove(ctx, 'app');
      if (made.faults.calls < at) break;
      continue;
    }
    assert.deepEqual(made.world(), before, `fault at call ${at}`);
    assert.equal((await made.records.list('network')).length, 3);
  }
});

test('a daemon that comes back knows who has what', async () => {
  const made = await fixture();
  await made.service.create(ctx, { name: 'app' });
  const record = await made.start(made.plan('web', published));
  const before = made.world();
  made.links.endpoints.set('vethstray', { namespace: '/gone', name: 'eth0', address: '' });
  made.netd.resolvers.set('gone', {
    namespacePath: '/gone',
    config: made.netd.resolvers.get(record.id)!.config,
  });
  made.table.current = undefined;
  made.service = made.make();
  await made.service.restore(ctx, [{ record, namespace: { path: '/fake/web' } }]);
  assert.deepEqual(made.world(), before);
  assert.throws(() => made.reserve(made.plan('other', published)), /port is already allocated/);
  const next = made.reserve(made.plan('next', { NetworkMode: 'app' }));
  assert.equal(next.endpoints['app']?.ipv4, '172.18.0.3');
});

test('a container that does not run joins silently: that is told when it starts', async () => {
  const made = await fixture();
  const told: string[] = [];
  await made.service.create(ctx, { name: 'app' });
  await made.service.create(ctx, { name: 'side' });
  made.events.subscribe(({ action, attributes }) => told.push(`${action} ${attributes['name']}`));
  const planned = made.plan('still', { NetworkMode: 'app' });
  made.containers.set(planned.id, { ...planned, state: { ...planned.state, status: 'exited' } });
  await made.service.connect(ctx, 'side', 'still', {});
  assert.deepEqual(Object.keys(made.containers.get(planned.id)?.endpoints ?? {}), ['app', 'side']);
  assert.deepEqual(told, []);
  await made.start(made.plan('runs', { NetworkMode: 'app' }));
  await made.service.connect(ctx, 'side', 'runs', {});
  assert.deepEqual(told, ['connect side']);
});

test('connect and disconnect, running and not', async () => {
  const made = await fixture();
  await made.service.create(ctx, { name: 'app' });
  const running = await made.start(made.plan('web'));
  await made.service.connect(ctx, 'app', 'web', {
    Aliases: ['www'],
    IPAMConfig: { IPv4Address: '172.18.0.77' },
  });
  const joined = made.containers.get(running.id)?.endpoints['app'];
  assert.deepEqual([joined?.ipv4, joined?.interfaceName], ['172.18.0.77', 'eth1']);
  assert.deepEqual(made.netd.lookup('/fake/web', 'www'), ['172.18.0.77']);
  await made.service.disconnect(ctx, 'app', 'web', false);
  assert.deepEqual([...made.netd.resolvers.keys()], []);
  assert.equal(made.links.endpoints.size, 1);
  const stopped = { ...made.plan('idle'), state: { ...initialState, status: 'exited' as const } };
  made.containers.set(stopped.id, stopped);
  await made.service.connect(ctx, 'app', 'idle', undefined);
  assert.deepEqual(Object.keys(made.containers.get(stopped.id)?.endpoints ?? {}), ['bridge', 'app']);
  assert.equal(made.links.endpoints.size, 1);
  await assert.rejects(made.service.connect(ctx, 'host', 'web', undefined), /host network/);
  await made.service.disconnect(ctx, 'app', 'idle', false);
  await made.service.remove(ctx, 'app');
});

test('legacy links give hosts entries and variables', async () => {
  const made = await fixture();
  const db = {
    ...made.plan('redis'),
    config: { ExposedPorts: { '6379/tcp': {} }, Env: ['PASS=x', 'PATH=/bin'] },
  };
  await made.start(db);
  const web = await made.start(
    made.plan('web', { Links: ['redis:cache'], ExtraHosts: ['gw:host-gateway', 'x:1.2.3.4'] }),
  );
  assert.deepEqual(made.service.hostEntries(web), [
    ['172.17.0.1', 'gw'],
    ['1.2.3.4', 'x'],
    ['172.17.0.2', `cache ${db.id.slice(0, 12)} redis`],
    ['172.17.0.3', web.id.slice(0, 12)],
  ]);
  assert.deepEqual(made.service.linkEnvironment(web), [
    'CACHE_PORT=tcp://172.17.0.2:6379',
    'CACHE_PORT_6379_TCP=tcp://172.17.0.2:6379',
    'CACHE_PORT_6379_TCP_ADDR=172.17.0.2',
    'CACHE_PORT_6379_TCP_PORT=6379',
    'CACHE_PORT_6379_TCP_PROTO=tcp',
    'CACHE_NAME=/web/cache',
    'CACHE_ENV_PASS=x',
  ]);
});

/** What goes back in the background is back when nothing is left to do. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test('whatever call fails on a network whose addresses a program gives, nothing of them is kept', async () => {
  const made = await fixture();
  const request = {
    name: 'leased',
    ipam: { driver: 'fake', config: [{ subnet: '10.9.0.0/24', auxAddresses: { x: '10.9.0.7' } }] },
  };
  for (let at = 1; ; at++) {
    made.faults.calls = 0;
    made.faults.failAt = at;
    try {
      await made.service.create(ctx, request);
    } catch {
      await settled();
      assert.deepEqual(made.pools.held(), [], `create, fault at call ${at}`);
      continue;
    }
    break;
  }
  const before = made.pools.held();
  assert.equal(before.length, 3, 'the pool, its gateway, and what is reserved');
  for (let at = 1; ; at++) {
    made.faults.calls = 0;
    made.faults.failAt = at;
    const planned = made.plan('web', { ...published, NetworkMode: 'leased' });
    const claimed = made.service.reserve(planned);
    assert.ok(claimed instanceof Promise);
    let failed = false;
    try {
      const reserved = { ...planned, ...(await claimed) };
      await made.service.attach(ctx, reserved, { path: '/fake/web' });
      made.faults.failAt = Infinity;
      await made.service.detach(ctx, reserved, { path: '/fake/web' });
    } catch {
      failed = true;
    }
    made.service.release(planned.id);
    await settled();
    assert.deepEqual(made.pools.held(), before, `start, fault at call ${at}`);
    if (!failed && made.faults.calls < at) break;
  }
  made.faults.failAt = Infinity;
  await made.service.remove(ctx, 'leased');
  assert.deepEqual(made.pools.held(), []);
});

test('while a program is asked for an address nobody removes the network', async () => {
  const made = await fixture();
  await made.service.create(ctx, { name: 'leased', ipam: { driver: 'fake' } });
  made.faults.slow.add('requestAddress');
  const planned = made.plan('web', { NetworkMode: 'leased' });
  const claimed = made.service.reserve(planned);
  await assert.rejects(made.service.remove(ctx, 'leased'), /has active endpoints \(name:"web"/);
  await claimed;
  made.service.release(planned.id);
  await made.service.remove(ctx, 'leased');
  assert.deepEqual(made.pools.held(), []);
});
