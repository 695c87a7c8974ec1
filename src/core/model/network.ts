import type { StringMap } from './container-spec.ts';

export interface IpamPool {
  /** CIDR. */
  readonly subnet: string;
  readonly ipRange?: string;
  readonly gateway: string;
  readonly auxAddresses?: StringMap;
  /** What another program that gives the addresses calls it. */
  readonly poolId?: string;
}

/** One network. Its addresses in use are derived from the containers' records, never stored here. */
export interface NetworkRecord {
  readonly id: string;
  readonly name: string;
  /** RFC 3339 with nanoseconds. */
  readonly createdAt: string;
  readonly driver: string;
  readonly scope: 'local' | 'global' | 'swarm';
  readonly ipam: {
    readonly driver: string;
    /** Absent when the request had none. */
    readonly options?: StringMap;
    readonly pools: readonly IpamPool[];
  };
  readonly enableIPv4: boolean;
  readonly enableIPv6: boolean;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly options: StringMap;
  readonly labels: StringMap;
  /** Interface of the bridge on the host, for bridge networks. */
  readonly bridgeName?: string;
  /** Interface of the host that the network's containers hang on, for macvlan and ipvlan networks. */
  readonly parentName?: string;
  /** `bridge`, `host`, `none`: made by the engine, cannot be removed. */
  readonly predefined: boolean;
  /** It is no network but settings for others, which name it; nothing joins it, and its pools are nobody's. */
  readonly configOnly?: true;
  /** Name of the configuration network that the settings were taken from. */
  readonly configFrom?: string;
}
