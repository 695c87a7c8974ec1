/** What the networks service is built from, and its own memory. */

import type { Ctx } from '../../core/ctx.ts';
import { internal, notFound } from '../../core/errors.ts';
import type { EventBus } from '../../core/events.ts';
import type { KeyedQueue } from '../../core/keyed-queue.ts';
import type { Logger } from '../../core/log.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import type { Firewall } from '../../core/ports/firewall.ts';
import type { Host } from '../../core/ports/host.ts';
import type { IpamDriver } from '../../core/ports/ipam-driver.ts';
import type { NetHelper } from '../../core/ports/net-helper.ts';
import type { DriverPlugins, NetworkDriver } from '../../core/ports/network-driver.ts';
import type { RecordStore } from '../../core/ports/record-store.ts';
import type { DebtBook } from './debts/book.ts';
import type { Farewells } from './debts/farewells.ts';
import type { Leases } from './ipam/leases.ts';
import type { NetworkState } from './state.ts';
import type { ContainerDirectory } from './types.ts';

/** Facts of the host, read when they are needed. */
export interface NetworkHostFacts {
  /** Whether ports are published on `::` too. */
  readonly ipv6: boolean;
  /** Where host ports come from when the user names none; both ends included. */
  readonly ephemeralPorts: { readonly first: number; readonly last: number };
  /** Content of the host's /etc/resolv.conf. */
  readResolvConf(): string;
}

/** What the daemon's flags say about networks. */
export interface NetworkDefaults {
  /** Where new networks get their IPv4 subnets from, in order; Docker's pools when empty. */
  readonly addressPools?: readonly { readonly base: string; readonly size: number }[] | undefined;
  /** Address and prefix length of the default bridge: `10.1.0.1/24`. */
  readonly bip?: string | undefined;
  /** Where ports are published that name no address, on networks without one of their own. */
  readonly bindAddress?: string | undefined;
  /** Of the default bridge, in bytes. */
  readonly mtu?: number | undefined;
}

export interface NetworksDeps {
  /** Seeds what must differ between two engines (IPv6 prefixes). */
  readonly engineId: string;
  readonly records: RecordStore;
  readonly events: EventBus;
  /** Every driver that networks may ask for; `bridge`, `host` and `null` must be among them. */
  readonly drivers: readonly NetworkDriver[];
  readonly plugins?: DriverPlugins | undefined;
  readonly firewall: Firewall;
  readonly helper: NetHelper;
  readonly host: Pick<Host, 'createNetns' | 'routes'> & Partial<Pick<Host, 'watchNetwork' | 'addresses'>>;
  readonly facts: NetworkHostFacts;
  readonly defaults?: NetworkDefaults;
  readonly log: Logger;
}

/** Deps together with the room's memory; every verb takes this. */
export interface Networks extends NetworksDeps {
  readonly state: NetworkState;
  /** Addresses that other programs give. */
  readonly leases: Leases;
  /** What is still to be told to programs of others. */
  readonly debts: DebtBook;
  /** Ends of endpoints that drivers of others have not heard of yet. */
  readonly farewells: Farewells;
  /** One change at a time per network. */
  readonly queue: KeyedQueue;
  /** The way to containers, once the daemon has given it. */
  readonly directory: { current: ContainerDirectory | undefined };
  /** Containers whose teardown is under way: their claims are given back when it is done. */
  readonly detaching: Map<string, { releaseAfter: boolean }>;
  /** Host interfaces of ended containers that the kernel should have collected by the next sweep. */
  readonly leaving: Map<string, string>;
  readonly notes: string[];
  /** One change of the firewall at a time: a whole picture never undoes a port that came meanwhile. */
  readonly walls: KeyedQueue;
  /** Ends the watch over the kernel. */
  unwatch: (() => void) | undefined;
}

export function driverOf(room: NetworksDeps, name: string): NetworkDriver | undefined {
  return room.drivers.find((driver) => driver.name === name) ?? room.plugins?.loaded(name);
}

/** The program that gives addresses under this name. `notFound` in Docker's words. */
export async function loadIpam(room: NetworksDeps, ctx: Ctx, name: string): Promise<IpamDriver> {
  if (room.plugins === undefined) throw notFound(`plugin ${JSON.stringify(name)} not found`);
  return room.plugins.loadIpam(ctx, name);
}

/** The driver of a network that exists. A plugin is looked for again where the engine came up without it. */
export async function driverFor(room: Networks, ctx: Ctx, name: string): Promise<NetworkDriver> {
  const known = driverOf(room, name);
  if (known !== undefined) return known;
  const loaded = await room.plugins?.load(ctx, name);
  if (loaded === undefined) throw notFound(`plugin ${JSON.stringify(name)} not found`);
  // It is no longer away.
  const stale = room.notes.filter((note) => note.includes(awayNote(name)));
  for (const note of stale) room.notes.splice(room.notes.indexOf(note), 1);
  return loaded;
}

/** How a note of a plugin that was away at the start begins. */
export const awayNote = (driver: string): string => `the plugin ${driver} of network `;

export function listContainers(room: Networks): readonly ContainerRecord[] {
  return room.directory.current?.list() ?? [];
}

export function directoryOf(room: Networks): ContainerDirectory {
  const { current } = room.directory;
  if (current === undefined) throw internal('the networks service has no way to containers yet');
  return current;
}
