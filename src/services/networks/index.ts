/**
 * Networks: the verbs of the API, and what a container's start and end ask of them. Called by the API, by the containers
 * service and by the daemon. Records are networks only; who has which address, port and name is derived from containers.
 */

import { KeyedQueue } from '../../core/keyed-queue.ts';
import { attach, detach } from './attach.ts';
import { connect, disconnect } from './connect.ts';
import { create } from './create.ts';
import { watchKernel } from './watch.ts';
import { firewallNetwork, removeWalls } from './walls.ts';
import { driverFor, loadIpam, type Networks, type NetworksDeps } from './deps.ts';
import { DebtBook } from './debts/book.ts';
import { Farewells } from './debts/farewells.ts';
import { Leases } from './ipam/leases.ts';
import { clearedEndpoint, planEndpoints, renamedEndpoints } from './endpoints.ts';
import { hostEntries, linkEnvironment } from './hosts.ts';
import { emitNetwork } from './emit.ts';
import { namedEndpoints, refreshNames } from './names.ts';
import { prune, releaseNetworkPools, remove } from './remove.ts';
import { release, reserve } from './reserve.ts';
import { parseResolvConf, resolvConf } from './resolv-conf.ts';
import { restore, syncHelper } from './restore.ts';
import { NetworkState, type Claims } from './state.ts';
import { changePorts } from './publish.ts';
import { exposure } from './exposure.ts';
import { trace } from './trace.ts';
import { cancelSweep } from './sweep.ts';
import { inspect, list, lookupsOf } from './view.ts';
import type {
  ContainerNetworking,
  NetworkLifecycle,
  NetworkReservation,
  NetworksService,
  NetworkVerbs,
} from './types.ts';
import { backgroundCtx, type Ctx } from '../../core/ctx.ts';
import type { ContainerRecord } from '../../core/model/container.ts';

export type * from './types.ts';
export type { NetworkDefaults, NetworkHostFacts, NetworksDeps } from './deps.ts';
export { readHostFacts } from './host-facts.ts';

function verbs(room: Networks): NetworkVerbs {
  return {
    create: (ctx, request) => create(room, ctx, request),
    list: (filters) => list(room.state, filters),
    inspect: (reference) => inspect(room, reference),
    lookups: (ctx, reference) => lookupsOf(room, ctx, room.state.find(reference).network),
    remove: (ctx, reference) => remove(room, ctx, reference),
    prune: (ctx, filters) => prune(room, ctx, filters),
    connect: (ctx, reference, container, spec) => connect(room, ctx, reference, container, spec),
    disconnect: (ctx, reference, container, force) => disconnect(room, ctx, reference, container, force),
    changePorts: (ctx, container, changes) => changePorts(room, ctx, container, changes),
    exposure: (ctx) => exposure(room, ctx),
    trace: (ctx, source, destination) => trace(room, ctx, source, destination),
  };
}

function resolvConfOf(room: Networks, record: ContainerRecord): string {
  const hasIpv6 = Object.values(record.endpoints).some((endpoint) => endpoint.ipv6 !== '');
  const usesHost = record.hostConfig.NetworkMode === 'host';
  const { Dns, DnsSearch, DnsOptions } = record.hostConfig;
  const asksNothing = [Dns, DnsSearch, DnsOptions].every((list) => (list ?? []).length === 0);
  // In the host's own stack every server of the host is in reach: its file is taken as it is.
  if (usesHost && asksNothing) return room.facts.readResolvConf();
  return resolvConf({
    host: parseResolvConf(room.facts.readResolvConf()),
    embedded: namedEndpoints(room.state, record.endpoints).length > 0,
    ipv6: hasIpv6,
    dns: Dns ?? [],
    dnsSearch: DnsSearch ?? [],
    dnsOptions: DnsOptions ?? [],
  });
}

const reservationOf = ({ endpoints, ports }: Claims): NetworkReservation => ({ endpoints, ports });

function networking(room: Networks): ContainerNetworking {
  return {
    planEndpoints: (input) => planEndpoints(input, (reference) => room.state.find(reference).network),
    reserve: (record) => {
      const { state, leases, facts, defaults } = room;
      const claims = reserve({ state, leases, ipv6: facts.ipv6, bindAddress: defaults?.bindAddress }, record);
      return claims instanceof Promise ? claims.then(reservationOf) : reservationOf(claims);
    },
    release(containerId) {
      const detaching = room.detaching.get(containerId);
      if (detaching === undefined) release(room, containerId);
      else detaching.releaseAfter = true;
    },
    cleared: (endpoints) =>
      Object.fromEntries(
        Object.entries(endpoints).map(([name, endpoint]) => [name, clearedEndpoint(endpoint)]),
      ),
    createNamespace: () => room.host.createNetns(),
    attach: (ctx, record, namespace) => attach(room, ctx, record, namespace),
    detach: (ctx, record, namespace) => detach(room, ctx, record, namespace),
    announce: (record, action) => {
      for (const endpoint of Object.values(record.endpoints)) {
        // A network that is gone all the same must not keep an exit from being told.
        const known = room.state.all().find(({ network }) => network.id === endpoint.networkId);
        if (known !== undefined) emitNetwork(room, known.network, action, record.id);
      }
    },
    refreshNames: (ctx, record) => refreshNames(room, ctx, record),
    renamed: renamedEndpoints,
    resolvConf: (record) => resolvConfOf(room, record),
    hostEntries: (record) => hostEntries(room, record),
    linkEnvironment: (record) => linkEnvironment(room, record),
  };
}

/** A slipway-net that died was started again: it knows ports and names, the resolvers are bound anew. */
async function helperRestarted(room: Networks, ctx: Ctx): Promise<void> {
  const directory = room.directory.current;
  const running = [...room.state.attached.values()].map(({ record }) => {
    const current = directory?.list().find((one) => one.id === record.id);
    return { record, namespace: current && directory?.namespace(current) };
  });
  await syncHelper(room, ctx, running);
}

async function removeAll(room: Networks, ctx: Ctx): Promise<void> {
  cancelSweep(room);
  room.unwatch?.();
  for (const { network } of room.state.all()) {
    try {
      await room.farewells.settle(network);
      await (await driverFor(room, ctx, network.driver)).remove(ctx, network);
    } catch (error) {
      // A plugin that is gone must not keep the rest from being removed.
      room.log.warn('a network could not be removed by its driver', { network: network.name, error });
    }
    await releaseNetworkPools(room, ctx, network);
    const walls = firewallNetwork(network);
    if (walls !== undefined) await removeWalls(room, ctx, walls);
  }
  room.leases.close();
  room.farewells.close();
  for (const driver of room.drivers) await driver.removeStray(ctx, await driver.list(ctx));
  await room.firewall.clear(ctx);
  await room.helper.shutdown(ctx);
}

function lifecycle(room: Networks): NetworkLifecycle {
  return {
    async restore(ctx, running) {
      await restore(room, ctx, running);
      room.unwatch ??= watchKernel(room);
    },
    bindContainers(directory) {
      room.directory.current = directory;
    },
    removeAll: (ctx) => removeAll(room, ctx),
    status: () => [...room.firewall.status(), ...room.notes],
  };
}

function createLeases(deps: NetworksDeps, state: NetworkState, book: DebtBook): Leases {
  return new Leases({
    load: (ctx, name) => loadIpam(deps, ctx, name),
    find: (networkId) => state.byId(networkId)?.network,
    book,
    log: deps.log,
  });
}

export function createNetworksService(deps: NetworksDeps): NetworksService {
  const state = new NetworkState(deps.facts.ephemeralPorts);
  const debts = new DebtBook(deps.records, deps.log);
  const room: Networks = {
    ...deps,
    state,
    leases: createLeases(deps, state, debts),
    debts,
    farewells: new Farewells({
      load: (ctx, name) => driverFor(room, ctx, name),
      book: debts,
      log: deps.log,
    }),
    queue: new KeyedQueue(),
    directory: { current: undefined },
    detaching: new Map(),
    leaving: new Map(),
    notes: [],
    walls: new KeyedQueue(),
    unwatch: undefined,
  };
  deps.helper.onRestart(() => {
    const ctx = backgroundCtx(deps.log);
    helperRestarted(room, ctx).catch((error: unknown) =>
      deps.log.error('slipway-net was started again but could not be brought up to date', { error }),
    );
  });
  return { ...verbs(room), ...networking(room), ...lifecycle(room) };
}
