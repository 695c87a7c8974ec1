import type { Ctx } from '../ctx.ts';
import type { NetworkRecord } from '../model/network.ts';
import type { IpamDriver } from './ipam-driver.ts';

/** A network namespace by a path that stays valid as long as its holder lives (`/proc/PID/fd/N`, `/proc/PID/ns/net`, a bind mount). */
export interface NamespaceHandle {
  readonly path: string;
}

export interface EndpointPlan {
  readonly network: NetworkRecord;
  readonly endpointId: string;
  readonly containerId: string;
  /** Inside the container, `eth0`. */
  readonly interfaceName: string;
  /** On the host; derived from the endpoint id. */
  readonly hostInterfaceName: string;
  readonly macAddress: string;
  /** Address with prefix length, `172.17.0.2/16`; empty for none. */
  readonly ipv4: string;
  readonly ipv4Gateway: string;
  readonly ipv6: string;
  readonly ipv6Gateway: string;
  /** Further addresses with prefix length, link-local ones that the user asked for. */
  readonly moreAddresses?: readonly string[];
  /** Whether this endpoint carries the default route. */
  readonly defaultRoute: boolean;
  readonly sysctls: readonly string[];
  /** Whether ports are published: the container may then reach itself through the host. */
  readonly published: boolean;
}

/** One kind of network. Knows the kernel, not containers; keeps no state. */
export interface NetworkDriver {
  readonly name: string;
  /** Checks options, fills in what the driver decides (bridge name, ...). Pure. */
  validate(network: NetworkRecord): NetworkRecord;
  /** For drivers that must not be asked twice: instead of `ensure` when the network is new. */
  create?(ctx: Ctx, network: NetworkRecord): Promise<void>;
  /** `detach` is called for every endpoint, also where the kernel has collected the interface with its namespace. */
  readonly detachAlways?: boolean;
  /** Makes the network exist in the kernel; repairs what is missing; a second call changes nothing. */
  ensure(ctx: Ctx, network: NetworkRecord): Promise<void>;
  /** Idempotent. */
  remove(ctx: Ctx, network: NetworkRecord): Promise<void>;
  /** Connects the namespace. `first` brings loopback up too. */
  attach(ctx: Ctx, namespace: NamespaceHandle, plan: EndpointPlan): Promise<void>;
  /** Idempotent; the namespace may be gone. */
  detach(ctx: Ctx, namespace: NamespaceHandle | undefined, plan: EndpointPlan): Promise<void>;
  /**
   * Tells a driver that is another program of an endpoint that ended while it was away: what `detach` tells it beside
   * taking the interface. Idempotent. `unavailable` where it is still away.
   */
  forget?(ctx: Ctx, network: NetworkRecord, endpointId: string): Promise<void>;
  /** Lets a container reach itself through the host after all, where `attach` was not asked to. Idempotent. */
  allowHairpin?(ctx: Ctx, plan: EndpointPlan): Promise<void>;
  /** Gives the default route to an attached endpoint, or takes it away. Taking is idempotent. */
  setDefaultRoute?(ctx: Ctx, namespace: NamespaceHandle, plan: EndpointPlan, on: boolean): Promise<void>;
  /** Host side names of everything of this driver's in the kernel, so that reconcile finds orphans. */
  list(ctx: Ctx): Promise<{ networks: readonly string[]; endpoints: readonly string[] }>;
  /** Removes what `list` named and no record knows. Idempotent. */
  removeStray(
    ctx: Ctx,
    stray: { readonly networks: readonly string[]; readonly endpoints: readonly string[] },
  ): Promise<void>;
}

/** Drivers that are programs of others. */
export interface DriverPlugins {
  /** Undefined where no such plugin announces itself; `unavailable` or `internal` where it fails. */
  load(ctx: Ctx, name: string): Promise<NetworkDriver | undefined>;
  /** One that was loaded before. */
  loaded(name: string): NetworkDriver | undefined;
  /** `notFound` where no such plugin announces itself; `unavailable` or `internal` where it fails. */
  loadIpam(ctx: Ctx, name: string): Promise<IpamDriver>;
}

/** Docker's words for what needs a cluster that this host is not part of. */
export const noSwarm =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
