/**
 * nftables as data: what `network/firewall` and `slipway-net` plan and `host` encodes, one nfnetlink message an item.
 * The vocabulary is the kernel's own (expressions over registers), so that encoding is a table without judgement and
 * planning can be tested without a kernel. Integers that the kernel compares are big-endian bytes in `data` fields.
 */

export type NftFamily = 'inet' | 'ip' | 'ip6' | 'bridge';

/** Data types of set keys and values: concatenations are written in order; each part is padded to four bytes. */
export type NftType =
  | 'ipv4_addr'
  | 'ipv6_addr'
  | 'ether_addr'
  | 'inet_proto'
  | 'inet_service'
  | 'ifname'
  | 'mark';

export type NftVerdict =
  | { readonly verdict: 'accept' | 'drop' | 'return' }
  | { readonly verdict: 'jump' | 'goto'; readonly chain: string };

/** Registers are the 4-byte ones, numbered from 0 (`NFT_REG32_00`); 16 of them. */
export type NftExpression =
  | {
      readonly expr: 'meta';
      readonly key:
        | 'iifname'
        | 'oifname'
        | 'l4proto'
        | 'nfproto'
        | 'protocol'
        | 'mark'
        | 'ibrname'
        | 'iif'
        /** One byte: whether the packet came sealed by IPsec. */
        | 'secpath';
      readonly dreg: number;
    }
  /** One byte: whether the packet will leave sealed by IPsec. */
  | { readonly expr: 'rt'; readonly key: 'ipsec'; readonly dreg: number }
  | { readonly expr: 'metaSet'; readonly key: 'mark'; readonly sreg: number }
  | {
      readonly expr: 'payload';
      readonly base: 'link' | 'network' | 'transport';
      readonly offset: number;
      readonly length: number;
      readonly dreg: number;
    }
  | { readonly expr: 'cmp'; readonly op: 'eq' | 'neq'; readonly sreg: number; readonly data: Uint8Array }
  | {
      readonly expr: 'bitwise';
      readonly sreg: number;
      readonly dreg: number;
      readonly mask: Uint8Array;
      readonly xor: Uint8Array;
    }
  /** `dreg` for maps (data loaded), absent for sets; `invert` matches what is not in the set. */
  | {
      readonly expr: 'lookup';
      readonly set: string;
      readonly sreg: number;
      readonly dreg?: number;
      readonly invert?: boolean;
    }
  | { readonly expr: 'immediate'; readonly dreg: number; readonly data: Uint8Array }
  | { readonly expr: 'verdict'; readonly verdict: NftVerdict }
  /** `fib daddr type` or `fib saddr . iif oif`. */
  | {
      readonly expr: 'fib';
      readonly result: 'addrtype' | 'oif' | 'oifname';
      readonly flags: readonly ('saddr' | 'daddr' | 'iif' | 'oif' | 'mark')[];
      readonly dreg: number;
    }
  /** `state` is the bit mask (new 8, established 2, related 4, invalid 1), `status` likewise (dnat 0x20); 4 bytes in host order. */
  | { readonly expr: 'ct'; readonly key: 'state' | 'status' | 'mark'; readonly dreg: number }
  | {
      readonly expr: 'nat';
      readonly type: 'snat' | 'dnat';
      readonly family: 'ip' | 'ip6';
      readonly addressRegister?: number;
      readonly portRegister?: number;
    }
  | { readonly expr: 'masquerade' }
  | { readonly expr: 'redirect'; readonly portRegister: number }
  | { readonly expr: 'counter' }
  | { readonly expr: 'notrack' };

export interface NftElement {
  /** Concatenated parts, each padded to four bytes, as the kernel wants them. */
  readonly key: Uint8Array;
  /** For maps. */
  readonly data?: Uint8Array;
  /** For verdict maps. */
  readonly verdict?: NftVerdict;
  readonly comment?: string;
}

export interface NftTableRef {
  readonly family: NftFamily;
  readonly table: string;
}

/** One change. A list of them is one transaction: all or none. */
export type NftChange = NftTableRef &
  (
    | { readonly change: 'addTable' }
    /** Fails with ENOENT when absent; put `addTable` before it to make it idempotent. */
    | { readonly change: 'deleteTable' }
    | {
        readonly change: 'addChain';
        readonly chain: string;
        readonly hook?: {
          readonly type: 'filter' | 'nat' | 'route';
          readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';
          readonly priority: number;
          readonly policy: 'accept' | 'drop';
        };
      }
    | { readonly change: 'flushChain'; readonly chain: string }
    | { readonly change: 'deleteChain'; readonly chain: string }
    | {
        readonly change: 'addSet';
        readonly set: string;
        readonly key: readonly NftType[];
        /** Makes it a map. */
        readonly data?: readonly NftType[] | 'verdict';
      }
    /** `exclusive` fails with EEXIST when the element is there; otherwise adding it again changes nothing. */
    | {
        readonly change: 'addElements';
        readonly set: string;
        readonly elements: readonly NftElement[];
        readonly exclusive?: boolean;
      }
    /** Fails with ENOENT when one is absent. */
    | { readonly change: 'deleteElements'; readonly set: string; readonly elements: readonly NftElement[] }
    | { readonly change: 'flushSet'; readonly set: string }
    | {
        readonly change: 'addRule';
        readonly chain: string;
        readonly expressions: readonly NftExpression[];
        readonly comment?: string;
        /** Before all others of the chain instead of after them. */
        readonly first?: boolean;
        /** Right behind the rule with this handle instead. */
        readonly after?: bigint;
      }
    | { readonly change: 'deleteRule'; readonly chain: string; readonly handle: bigint }
  );

export interface NftChainInfo extends NftTableRef {
  readonly chain: string;
  readonly hook: string;
  readonly type: string;
  readonly priority: number;
  /** Empty for a chain that is no base chain. */
  readonly policy: 'accept' | 'drop' | '';
}

export interface NftRuleInfo extends NftTableRef {
  readonly chain: string;
  readonly handle: bigint;
  readonly comment: string;
  /** Chains that it jumps or goes to, whatever it matches. */
  readonly jumpsTo: readonly string[];
}

/** The part of the host that speaks nftables; `namespace` undefined is the host's own. */
export interface NftHost<Namespace> {
  /** One transaction. Errors carry `code` (ENOENT, EEXIST, ...) and the index of the refused change. */
  nftApply(namespace: Namespace | undefined, changes: readonly NftChange[]): Promise<void>;
  /** Elements of a set or map; `undefined` when the table or the set is not there. */
  nftElements(
    namespace: Namespace | undefined,
    set: NftTableRef & { readonly set: string },
  ): Promise<readonly NftElement[] | undefined>;
  nftChains(namespace: Namespace | undefined): Promise<readonly NftChainInfo[]>;
  nftRules(
    namespace: Namespace | undefined,
    chain: NftTableRef & { readonly chain: string },
  ): Promise<readonly NftRuleInfo[]>;
}
