/**
 * What the networks service offers: to the API (the verbs) and to the containers service (the start path).
 * Claims of addresses and ports are synchronous and live in memory only; they are derived again from the
 * containers' records by `restore`.
 */

import type { Ctx } from '../../core/ctx.ts';
import type { ContainerRecord, EndpointRecord, PublishedPort } from '../../core/model/container.ts';
import type {
  ContainerConfig,
  EndpointSpec,
  HostConfig,
  NetworkingConfig,
  PortMap,
  StringMap,
} from '../../core/model/container-spec.ts';
import type { NetworkRecord } from '../../core/model/network.ts';
import type { LookupCounters } from '../../core/ports/net-helper.ts';
import type { NamespaceHandle } from '../../core/ports/network-driver.ts';

export interface NetworkCreateRequest {
  readonly name: string;
  /** `bridge` when empty. */
  readonly driver?: string;
  readonly scope?: string;
  readonly internal?: boolean;
  readonly attachable?: boolean;
  readonly ingress?: boolean;
  readonly configOnly?: boolean;
  /** Name of a configuration network; empty for none. */
  readonly configFrom?: string;
  readonly enableIPv4?: boolean;
  readonly enableIPv6?: boolean;
  readonly ipam?: {
    readonly driver?: string;
    readonly options?: StringMap | null;
    readonly config?:
      | readonly {
          readonly subnet?: string;
          readonly ipRange?: string;
          readonly gateway?: string;
          readonly auxAddresses?: StringMap | null;
        }[]
      | null;
  };
  readonly options?: StringMap | null;
  readonly labels?: StringMap | null;
}

/** An endpoint of a running container, as inspect shows it. */
export interface NetworkMember {
  readonly containerId: string;
  readonly containerName: string;
  readonly endpointId: string;
  readonly macAddress: string;
  /** With prefix length, or empty. */
  readonly ipv4: string;
  readonly ipv6: string;
}

export interface NetworkView {
  readonly network: NetworkRecord;
  /** Endpoints in use, that is of running containers. */
  readonly members: readonly NetworkMember[];
  /** Addresses of each subnet that are in use or reserved, and those that may still be handed out. */
  readonly subnets: readonly {
    readonly subnet: string;
    readonly inUse: bigint;
    readonly available: bigint;
  }[];
}

/** Docker's filters of `network ls` and `network prune`: `name`, `id`, `driver`, `label`, `label!`, `scope`, `type`, `dangling`, `until`. */
export type NetworkFilters = Readonly<Record<string, readonly string[]>>;

/** Where a starting container will be: claimed, but nothing in the kernel yet. */
export interface NetworkReservation {
  /** By network name, in the order of connection; goes into the record before `attach`. */
  readonly endpoints: Readonly<Record<string, EndpointRecord>>;
  readonly ports: readonly PublishedPort[];
}

/** What the networks service needs of containers; given by the daemon, because containers import networks and not the reverse. */
export interface ContainerDirectory {
  /** By id, name or unique prefix of the id; throws `notFound` (`No such container: x`). */
  find(reference: string): ContainerRecord;
  list(): readonly ContainerRecord[];
  /**
   * Runs `change` in the container's queue with its current record, commits what it returns and emits nothing.
   * A failed commit rejects, and `change`'s own errors pass through.
   */
  update(
    ctx: Ctx,
    containerId: string,
    change: (record: ContainerRecord) => Promise<ContainerRecord>,
  ): Promise<ContainerRecord>;
  /** The network namespace of a running container; undefined when it has none. */
  namespace(record: ContainerRecord): NamespaceHandle | undefined;
  /** Writes the container's hosts and resolv.conf again after its networks changed. */
  networksChanged(ctx: Ctx, record: ContainerRecord): Promise<void>;
}

/** A running container found at daemon start. */
export interface RestoredContainer {
  readonly record: ContainerRecord;
  readonly namespace: NamespaceHandle | undefined;
}

export interface ExposureRow {
  readonly containerId: string;
  readonly containerName: string;
  readonly network: string;
  /** Where it is reached: `0.0.0.0:8080`, `10.1.0.2:80`; `*` for every port. */
  readonly address: string;
  /** `80/tcp`, or `*`. */
  readonly containerPort: string;
  readonly scope: 'host' | 'network' | 'everywhere';
  /** The same in words. */
  readonly from: string;
}

export interface Exposure {
  /** Addresses of the host that are not loopback, by which `0.0.0.0` and `::` are reached. */
  readonly hostAddresses: readonly string[];
  readonly rows: readonly ExposureRow[];
  /** What other firewalls of the host mean for it. */
  readonly notes: readonly string[];
}

export interface PortChanges {
  readonly add?: PortMap;
  /** A container port without bindings means all of them. */
  readonly remove?: PortMap;
}

export interface TraceStep {
  readonly verdict: 'pass' | 'drop' | 'note';
  readonly text: string;
}

export interface Trace {
  readonly passes: boolean;
  readonly steps: readonly TraceStep[];
}

/** The verbs of the API. */
export interface NetworkVerbs {
  /** Errors: `invalid`, `conflict` (`network with name X already exists`), `forbidden` (overlapping pools). */
  create(ctx: Ctx, request: NetworkCreateRequest): Promise<{ id: string; warnings: readonly string[] }>;
  list(filters?: NetworkFilters): readonly NetworkView[];
  /** By full id, name or unique prefix of the id; `notFound` (`network X not found`). */
  inspect(reference: string): NetworkView;
  /** Lookups of the network's running containers together; undefined on networks without names. */
  lookups(ctx: Ctx, reference: string): Promise<LookupCounters | undefined>;
  remove(ctx: Ctx, reference: string): Promise<void>;
  /** Names of the removed networks. */
  prune(ctx: Ctx, filters?: NetworkFilters): Promise<readonly string[]>;
  connect(
    ctx: Ctx,
    reference: string,
    containerReference: string,
    spec: EndpointSpec | undefined,
  ): Promise<void>;
  disconnect(ctx: Ctx, reference: string, containerReference: string, force: boolean): Promise<void>;
  /** Publishes and unpublishes ports of a container, at once where it runs. */
  changePorts(ctx: Ctx, containerReference: string, changes: PortChanges): Promise<void>;
  /** What of the running containers is reachable, and from where. */
  exposure(ctx: Ctx): Promise<Exposure>;
  /** Whether a packet passes, and which decisions on its way say so. `invalid` for ends that mean nothing. */
  trace(ctx: Ctx, source: string, destination: string): Promise<Trace>;
}

/** What the containers service calls, in the order of a container's life. */
export interface ContainerNetworking {
  /**
   * At create: the endpoints that a container will have, from `NetworkMode` and the endpoint settings, without
   * addresses. `container:X` gives none; `host` and `none` give an endpoint without interface. Throws `notFound`
   * for an unknown network and `invalid` for settings that cannot hold.
   */
  planEndpoints(input: {
    readonly containerId: string;
    readonly containerName: string;
    readonly config: ContainerConfig;
    readonly hostConfig: HostConfig;
    readonly networking: NetworkingConfig | undefined;
  }): Readonly<Record<string, EndpointRecord>>;

  /**
   * At start: claims addresses and host ports for the record's endpoints and port bindings. All or nothing, and at once
   * but where another program gives the addresses of one of the networks. Errors carry Docker's words (`... Bind for 0.0.0.0:80 failed: port is already allocated`).
   * A second call without `release` gives back the same claims.
   */
  reserve(record: ContainerRecord): NetworkReservation | Promise<NetworkReservation>;

  /** Gives the claims of a container back. Idempotent, synchronous; other programs are told in the background. The record's endpoints are then `cleared`. */
  release(containerId: string): void;

  /** The endpoints of a container that no longer runs: specs kept, addresses and interface names emptied. */
  cleared(endpoints: Readonly<Record<string, EndpointRecord>>): Readonly<Record<string, EndpointRecord>>;

  /** An empty network namespace with loopback up; whoever gets it closes `fd` once a process of the container holds it. */
  createNamespace(ctx: Ctx): Promise<{ fd: number; path: string }>;

  /**
   * Joins the namespace to the networks of the record (endpoints and ports as `reserve` gave them): interfaces,
   * held ports, firewall, names, resolver. Answers the ports as published: one from the ephemeral range may differ
   * from the reserved one when a process of the host used that; the record of the running container takes these.
   * On failure everything of this call is taken back before the error leaves (the claims stay until `release`).
   */
  attach(ctx: Ctx, record: ContainerRecord, namespace: NamespaceHandle): Promise<readonly PublishedPort[]>;

  /**
   * Takes the container's ports, names, resolver and interfaces away. Idempotent. Without namespace the kernel
   * collects the interfaces with the dead namespace (fast); pass it when it lives on.
   */
  detach(ctx: Ctx, record: ContainerRecord, namespace?: NamespaceHandle): Promise<void>;

  /** Tells that a container that starts or has ended joined or left its networks. */
  announce(record: ContainerRecord, action: 'connect' | 'disconnect'): void;

  /** After a rename of a running container: names answered by DNS. Give the record with its new `dnsNames` (see `renamed`). */
  refreshNames(ctx: Ctx, record: ContainerRecord): Promise<void>;

  /** The endpoints with the names of a renamed container. Pure. */
  renamed(
    endpoints: Readonly<Record<string, EndpointRecord>>,
    oldName: string,
    newName: string,
  ): Readonly<Record<string, EndpointRecord>>;

  /** Content of the container's `/etc/resolv.conf`. */
  resolvConf(record: ContainerRecord): string;

  /** Lines of `/etc/hosts` that come from its networks, links and extra hosts, as `[address, names]`, in order. */
  hostEntries(record: ContainerRecord): readonly (readonly [string, string])[];

  /** Environment variables and names of legacy links (`--link`) on the default bridge, from the records of their targets. */
  linkEnvironment(record: ContainerRecord): readonly string[];
}

/** Lifetime, called by the daemon. */
export interface NetworkLifecycle {
  /**
   * At daemon start, before the API opens: reads records, makes the predefined networks, claims what running
   * containers hold, repairs bridges, firewall and helper where they differ, removes orphans. Live traffic goes on.
   */
  restore(ctx: Ctx, running: readonly RestoredContainer[]): Promise<void>;
  /** Gives the service its way to containers; called once by the daemon before `restore`. */
  bindContainers(directory: ContainerDirectory): void;
  /** Removes everything that networks made on this host: for `clean`. */
  removeAll(ctx: Ctx): Promise<void>;
  /** Facts and warnings for `info`. */
  status(): readonly string[];
}

export type NetworksService = NetworkVerbs & ContainerNetworking & NetworkLifecycle;
