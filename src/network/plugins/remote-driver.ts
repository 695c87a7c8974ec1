/**
 * A network driver that is another program: libnetwork's remote protocol. The plugin makes an interface on the host for
 * each endpoint; we put it into the container's namespace and give it what was claimed for it.
 */

import type { Ctx } from '../../core/ctx.ts';
import { internal } from '../../core/errors.ts';
import { parseCidr } from '../../core/ip.ts';
import type { NetworkRecord } from '../../core/model/network.ts';
import type { Host, LinkOperation } from '../../core/ports/host.ts';
import type { EndpointPlan, NamespaceHandle, NetworkDriver } from '../../core/ports/network-driver.ts';
import { planDefaultRoute } from '../drivers/default-route.ts';

export type RemoteHost = Pick<Host, 'link' | 'links'>;
export type Call = (method: string, body?: object) => Promise<Readonly<Record<string, unknown>>>;

const idsOf = (network: NetworkRecord, endpointId: string) => ({
  NetworkID: network.id,
  EndpointID: endpointId,
});
const ids = ({ network, endpointId }: EndpointPlan) => idsOf(network, endpointId);

/** The plugin forgot it, or never knew: what was to be undone is undone. */
const isUnknown = (error: unknown): boolean =>
  error instanceof Error && /not found|no such|unknown|does not exist/i.test(error.message);

async function unlessUnknown(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isUnknown(error)) throw error;
  }
}

function createBody(network: NetworkRecord): object {
  const data = (six: boolean) =>
    network.ipam.pools
      .filter((pool) => pool.subnet.includes(':') === six)
      .map((pool) => ({
        AddressSpace: 'LocalDefault',
        Pool: pool.subnet,
        Gateway: pool.gateway === '' ? '' : `${pool.gateway}/${parseCidr(pool.subnet)?.cidr.prefix ?? 0}`,
        AuxAddresses: pool.auxAddresses ?? {},
      }));
  return {
    NetworkID: network.id,
    Options: {
      'com.docker.network.generic': network.options,
      'com.docker.network.enable_ipv4': network.enableIPv4,
      'com.docker.network.enable_ipv6': network.enableIPv6,
      'com.docker.network.internal': network.internal,
    },
    IPv4Data: data(false),
    IPv6Data: data(true),
  };
}

interface Joined {
  readonly source: string;
  readonly gateway: string;
  readonly gateway6: string;
  readonly routes: readonly { readonly destination: string; readonly nextHop: string }[];
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function readJoin(answer: Readonly<Record<string, unknown>>, name: string): Joined {
  const names = answer['InterfaceName'] as { readonly SrcName?: unknown } | undefined;
  const source = textOf(names?.SrcName);
  if (source === '') throw internal(`plugin ${name} answered NetworkDriver.Join without an interface`);
  const list = Array.isArray(answer['StaticRoutes']) ? (answer['StaticRoutes'] as unknown[]) : [];
  const routes = list.map((entry) => {
    const route = entry as { readonly Destination?: unknown; readonly NextHop?: unknown };
    return { destination: textOf(route.Destination), nextHop: textOf(route.NextHop) };
  });
  return { source, gateway: textOf(answer['Gateway']), gateway6: textOf(answer['GatewayIPv6']), routes };
}

function planInside(plan: EndpointPlan, joined: Joined): readonly LinkOperation[] {
  const name = plan.interfaceName;
  const operations: LinkOperation[] = [];
  for (const address of [plan.ipv4, plan.ipv6])
    if (address !== '') operations.push({ op: 'addAddress', name, address, noDad: true });
  operations.push({ op: 'setLink', name, up: true });
  for (const { destination, nextHop } of joined.routes)
    operations.push({ op: 'addRoute', destination, name, ...(nextHop === '' ? {} : { gateway: nextHop }) });
  const told = { ...plan, ipv4Gateway: joined.gateway, ipv6Gateway: joined.gateway6 };
  if (plan.defaultRoute) operations.push(...planDefaultRoute(told, 'add'));
  return operations;
}

export function createRemoteDriver(name: string, host: RemoteHost, call: Call): NetworkDriver {
  const leave = async (network: NetworkRecord, endpointId: string): Promise<void> => {
    await unlessUnknown(call('NetworkDriver.Leave', idsOf(network, endpointId)));
    await unlessUnknown(call('NetworkDriver.DeleteEndpoint', idsOf(network, endpointId)));
  };
  return {
    name,
    detachAlways: true,
    validate: (network) => network,
    async create(_ctx: Ctx, network: NetworkRecord) {
      await call('NetworkDriver.CreateNetwork', createBody(network));
    },
    // The plugin keeps its networks itself.
    ensure: () => Promise.resolve(),
    async remove(_ctx: Ctx, network: NetworkRecord) {
      await unlessUnknown(call('NetworkDriver.DeleteNetwork', { NetworkID: network.id }));
    },
    async attach(_ctx: Ctx, namespace: NamespaceHandle, plan: EndpointPlan) {
      await call('NetworkDriver.CreateEndpoint', {
        ...ids(plan),
        Interface: { Address: plan.ipv4, AddressIPv6: plan.ipv6, MacAddress: plan.macAddress },
        Options: {},
      });
      const answer = await call('NetworkDriver.Join', {
        ...ids(plan),
        SandboxKey: namespace.path,
        Options: {},
      });
      const joined = readJoin(answer, name);
      const inside = { path: namespace.path };
      await host.link(undefined, [
        { op: 'moveLink', name: joined.source, namespace: inside, newName: plan.interfaceName },
      ]);
      await host.link(inside, planInside(plan, joined));
    },
    async detach(_ctx: Ctx, namespace: NamespaceHandle | undefined, plan: EndpointPlan) {
      if (namespace !== undefined && plan.interfaceName !== '')
        await host.link({ path: namespace.path }, [{ op: 'deleteLink', name: plan.interfaceName }]);
      await leave(plan.network, plan.endpointId);
    },
    forget: (_ctx, network, endpointId) => leave(network, endpointId),
    list: () => Promise.resolve({ networks: [], endpoints: [] }),
    removeStray: () => Promise.resolve(),
  };
}
