import type { Ctx } from '../ctx.ts';
import type { GatewayMode } from '../model/bridge-settings.ts';

/** What the firewall must know of one network. */
export interface FirewallNetwork {
  readonly networkId: string;
  readonly bridge: string;
  readonly ipv4Subnets: readonly string[];
  readonly ipv6Subnets: readonly string[];
  readonly internal: boolean;
  readonly masquerade: boolean;
  /** Inter-container communication allowed. */
  readonly icc: boolean;
  /** `nat` where absent. */
  readonly gatewayModes?: { readonly ipv4: GatewayMode; readonly ipv6: GatewayMode };
  /** What leaves gets this source address instead of the uplink's; empty for none. */
  readonly sourceAddresses?: { readonly ipv4: string; readonly ipv6: string };
  /** Interfaces of the host from which every port is reached directly. */
  readonly trustedInterfaces?: readonly string[];
}

/**
 * One published port, as the kernel sees it. A host port of 0 means that nothing is translated: packets to the
 * container's own address and port are let through (gateway mode `routed`).
 */
export interface FirewallPort {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** `0.0.0.0`, `::` or a host address. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerIp: string;
  readonly containerPort: number;
  readonly bridge: string;
}

/** The engine's own table of rules: one atomic change a call, idempotent, listed for reconcile. */
export interface Firewall {
  /** Its name, by which the kernel tells of changes in it. */
  readonly table: string;
  /** Makes the table equal to this whole picture, whatever stood there before. */
  restore(ctx: Ctx, networks: readonly FirewallNetwork[], ports: readonly FirewallPort[]): Promise<void>;
  /** As `publish`, fails where the table is not there (someone flushed it): `restore` is the answer. */
  ensureNetwork(ctx: Ctx, network: FirewallNetwork): Promise<void>;
  removeNetwork(ctx: Ctx, network: FirewallNetwork): Promise<void>;
  publish(ctx: Ctx, ports: readonly FirewallPort[]): Promise<void>;
  /** Idempotent; also forgets stale UDP connection tracking of the ports. */
  unpublish(ctx: Ctx, ports: readonly FirewallPort[]): Promise<void>;
  listPorts(ctx: Ctx): Promise<readonly FirewallPort[]>;
  /** Removes the table and every rule of ours elsewhere. */
  clear(ctx: Ctx): Promise<void>;
  /** Facts and warnings for `info` (foreign chains that drop, rules placed there). */
  status(): readonly string[];
}
