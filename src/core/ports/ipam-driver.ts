import type { Ctx } from '../ctx.ts';
import type { StringMap } from '../model/container-spec.ts';

export interface PoolAsked {
  /** Whose networks it is for: this host's, or those of a cluster. */
  readonly scope: 'local' | 'global';
  /** CIDR; empty where the driver chooses. */
  readonly subnet: string;
  /** CIDR inside the subnet, or empty. */
  readonly ipRange: string;
  /** `--ipam-opt`. */
  readonly options: StringMap;
  readonly ipv6: boolean;
}

export interface PoolGiven {
  readonly poolId: string;
  /** CIDR. */
  readonly subnet: string;
  /** With prefix length; empty where the driver named none, and one must be asked for. */
  readonly gateway: string;
}

export interface AddressAsked {
  readonly poolId: string;
  /** Without prefix length; empty where the driver chooses. */
  readonly address: string;
  readonly purpose: 'gateway' | 'endpoint' | 'reserved';
  /** Of the interface that gets it; only where the driver asks for it. */
  readonly macAddress?: string;
}

/**
 * Addresses that another program gives. The engine's own are given in memory, synchronously, and do not pass here. Errors: `unavailable` where
 * the program does not answer, `internal` with its own words where it refuses.
 */
export interface IpamDriver {
  readonly name: string;
  /** It wants to know the hardware address of each endpoint. */
  readonly requiresMacAddress: boolean;
  /** It keeps nothing: after a start of the engine all that is in use is asked for again. */
  readonly requiresReplay: boolean;
  requestPool(ctx: Ctx, asked: PoolAsked): Promise<PoolGiven>;
  releasePool(ctx: Ctx, poolId: string): Promise<void>;
  /** With prefix length. */
  requestAddress(ctx: Ctx, asked: AddressAsked): Promise<string>;
  releaseAddress(ctx: Ctx, poolId: string, address: string): Promise<void>;
}
