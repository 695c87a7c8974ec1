import type { Ctx } from '../ctx.ts';
import type { IdMapping } from '../model/id-mapping.ts';
import type { NftChange, NftHost } from './nft.ts';

/** Descriptors are plain numbers in the daemon's one descriptor table; whoever gets one closes it. */
export interface SpawnOptions {
  readonly path: string;
  /** argv[0] included. */
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd?: string;
  /** Child descriptor -> our descriptor; 0 to 2 are /dev/null where not given. Everything else is closed in the child. */
  readonly fds: Readonly<Record<number, number>>;
  /** Own session, so that signals to the daemon's group never reach it. */
  readonly newSession?: boolean;
}

export interface ProcessStat {
  readonly pid: number;
  readonly ppid: number;
  /** Field 22 of /proc/PID/stat. */
  readonly startTicks: string;
  readonly state: string;
  readonly command: string;
}

export interface MountRequest {
  readonly source: string;
  readonly target: string;
  readonly fstype: string;
  /** Flags of mount(2) by name: `ro`, `nosuid`, `nodev`, `noexec`, `bind`, `rec`, `remount`, `private`, `rprivate`, `shared`, `rshared`, `slave`, `rslave`, ... */
  readonly flags: readonly string[];
  readonly data?: string;
  /** Working directory for a relative target and the relative paths of an overlay (short ones: all must fit in a page). */
  readonly cwd?: string;
}

/** A directory mounted a second time, its files under other ids. */
export interface IdMappedMount {
  readonly source: string;
  readonly target: string;
  /** Descriptor of a user namespace: what it has inside are the ids on disk, what outside those that the mount shows. */
  readonly userNamespace: number;
}

/** A new user namespace with these ids, or one that is there by its path. */
export type UserNamespaceRequest = IdMapping | { readonly join: string };

/** Descriptors are the caller's to close. */
export interface UserNamespace {
  readonly user: { readonly fd: number; readonly path: string };
  /** A new one that belongs to it, with loopback up. */
  readonly network: { readonly fd: number; readonly path: string };
}

export interface MountPoint {
  readonly target: string;
  readonly fstype: string;
  readonly source: string;
  /** Of the filesystem (`lowerdir=...`). */
  readonly options: string;
  /** Of the mount point (`ro,nosuid`). */
  readonly mountOptions: string;
  readonly propagation: string;
}

export interface LinkInfo {
  readonly index: number;
  readonly name: string;
  readonly kind: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly mac: string;
  /** Index of the bridge it is a port of; 0 for none. */
  readonly master: number;
  readonly alias: string;
}

export interface AddressInfo {
  readonly linkIndex: number;
  /** With prefix length. */
  readonly address: string;
  readonly family: 4 | 6;
}

/** UDP to one port, between any hosts or two of them, on its way in or out of this host. */
export interface IpsecTraffic {
  readonly direction: 'in' | 'out';
  readonly port: number;
  /** Absent: any host of that version. */
  readonly from?: string;
  readonly to?: string;
  readonly version: 4 | 6;
}

/** Both ends know the same: how packets from one to the other are sealed (ESP in transport mode, AES-GCM). */
export interface IpsecKey {
  readonly from: string;
  readonly to: string;
  /** 256 to 4294967295; with the receiver it says which key a packet is sealed with. */
  readonly spi: number;
  /** 20 bytes: AES-128 and four bytes of salt; 36 for AES-256. */
  readonly key: Uint8Array;
}

/** One change of the kernel's IPsec databases. What is added replaces what stood there; what is removed may be gone. */
export type IpsecChange =
  /** Nothing passes. Weaker than `seal`. */
  | { readonly change: 'block'; readonly traffic: IpsecTraffic }
  /** What passes is sealed with a key of these two hosts: with that of `spi` on its way out, with any on its way in. */
  | { readonly change: 'seal'; readonly traffic: IpsecTraffic; readonly spi?: number }
  | { readonly change: 'unblock'; readonly traffic: IpsecTraffic }
  | { readonly change: 'unseal'; readonly traffic: IpsecTraffic }
  | ({ readonly change: 'addKey' } & IpsecKey)
  | { readonly change: 'removeKey'; readonly to: string; readonly spi: number };

/** What was set for a tunnel: by which host a hardware address is reached (`forwarding`), or which one an address has (`neighbour`). */
export interface NeighbourInfo {
  readonly kind: 'forwarding' | 'neighbour';
  readonly linkIndex: number;
  readonly mac: string;
  readonly address: string;
}

export interface RouteInfo {
  readonly family: 4 | 6;
  /** CIDR; `0.0.0.0/0` for the default route. */
  readonly destination: string;
  readonly gateway: string;
  readonly linkIndex: number;
}

/** One step in rtnetlink's language; a list of them runs in one go in one namespace, and stops at the first error. */
export type LinkOperation =
  | {
      readonly op: 'createBridge';
      readonly name: string;
      readonly mtu: number;
      readonly mac?: string;
      readonly alias?: string;
    }
  | {
      readonly op: 'createVeth';
      readonly name: string;
      readonly mtu: number;
      readonly bridge: string;
      readonly alias?: string;
      readonly peer: { readonly name: string; readonly mac: string; readonly namespace: ProgramNamespace };
    }
  /** On a parent of the step's namespace, into `namespace` where that is given. Without `mtu` it takes the parent's. */
  | {
      readonly op: 'createMacvlan';
      readonly name: string;
      readonly parent: string;
      readonly mode: MacvlanMode;
      /** The kernel chooses where empty. */
      readonly mac: string;
      readonly namespace?: ProgramNamespace;
      readonly mtu?: number;
    }
  | {
      readonly op: 'createIpvlan';
      readonly name: string;
      readonly parent: string;
      readonly mode: IpvlanMode;
      readonly flag: IpvlanFlag;
      readonly namespace?: ProgramNamespace;
      readonly mtu?: number;
    }
  | {
      readonly op: 'createVlan';
      readonly name: string;
      readonly parent: string;
      readonly id: number;
      readonly alias: string;
    }
  | { readonly op: 'createDummy'; readonly name: string; readonly alias: string }
  /**
   * A tunnel to other hosts, a port of `bridge`: frames leave as UDP from `local`, for the hosts that `addForwarding` names. It learns
   * nothing from what comes in, and answers for the neighbours that `addNeighbour` names instead of asking everybody.
   */
  | {
      readonly op: 'createVxlan';
      readonly name: string;
      /** 1 to 16777215; one interface for each on a host. */
      readonly id: number;
      readonly local: string;
      readonly port: number;
      readonly mtu: number;
      readonly bridge: string;
    }
  /** Frames to `mac` go to the host `address`. Replaces what was said of that hardware address before. */
  | { readonly op: 'addForwarding'; readonly name: string; readonly mac: string; readonly address: string }
  | { readonly op: 'removeForwarding'; readonly name: string; readonly mac: string; readonly address: string }
  | { readonly op: 'addNeighbour'; readonly name: string; readonly mac: string; readonly address: string }
  | { readonly op: 'removeNeighbour'; readonly name: string; readonly address: string }
  | { readonly op: 'deleteLink'; readonly name: string }
  | {
      readonly op: 'setLink';
      readonly name: string;
      readonly up?: boolean;
      readonly mtu?: number;
      readonly newName?: string;
      readonly mac?: string;
    }
  | {
      readonly op: 'moveLink';
      readonly name: string;
      readonly namespace: ProgramNamespace;
      readonly newName?: string;
    }
  | { readonly op: 'addAddress'; readonly name: string; readonly address: string; readonly noDad?: boolean }
  | { readonly op: 'removeAddress'; readonly name: string; readonly address: string }
  | {
      readonly op: 'addRoute';
      readonly destination: string;
      readonly gateway?: string;
      readonly name?: string;
      readonly metric?: number;
    }
  | {
      readonly op: 'removeRoute';
      readonly destination: string;
      readonly gateway?: string;
      readonly name?: string;
    }
  /** Writes /proc/sys of that namespace; `key` with slashes, `net/ipv4/conf/eth0/route_localnet`. */
  | { readonly op: 'sysctl'; readonly key: string; readonly value: string; readonly optional?: boolean }
  /** Hairpin mode of a bridge port, and the like. */
  | {
      readonly op: 'setBridgePort';
      readonly name: string;
      readonly hairpin?: boolean;
      readonly isolated?: boolean;
    };

export type MacvlanMode = 'bridge' | 'private' | 'vepa' | 'passthru';
export type IpvlanMode = 'l2' | 'l3' | 'l3s';
export type IpvlanFlag = 'bridge' | 'private' | 'vepa';

/** A namespace by descriptor or by path; undefined in calls means the host's own. */
export type NamespaceRef = { readonly fd: number } | { readonly path: string };

/** In operations also the namespace that the program itself makes (only inside `networkProgram`). */
export type ProgramNamespace = NamespaceRef | { readonly created: true };

/** Work in several namespaces in one go: one message to the kernel worker, one back. Stops at the first error. */
export interface NetworkProgram {
  /** Makes a namespace first (loopback up), which steps name as `{ created: true }`; it is closed again when a step fails. */
  readonly createNamespace?: boolean;
  readonly steps: readonly NetworkStep[];
}

export interface NetworkStep {
  /** Where: undefined is the host's own. */
  readonly namespace?: ProgramNamespace;
  readonly operations?: readonly LinkOperation[];
  /** One firewall transaction, after the operations. */
  readonly nft?: readonly NftChange[];
}

/** What someone changed in the host's network; by whom is not told, so it may have been the engine itself. */
export type NetworkChange =
  | { readonly kind: 'linkDeleted'; readonly name: string }
  /** A table was made or deleted, or its chains, rules or sets. */
  | { readonly kind: 'rules'; readonly table: string }
  /** Elements of a set came or went, by someone else's doing. */
  | { readonly kind: 'elements'; readonly table: string }
  /** More happened than the kernel could keep: anything may have changed. */
  | { readonly kind: 'lost' };

export interface OpenSocketRequest {
  readonly type: 'udp' | 'tcp' | 'sctp';
  readonly address: string;
  /** 0: the kernel chooses. */
  readonly port: number;
  readonly listen?: boolean;
  readonly reuseAddress?: boolean;
  /** IPv6 sockets take IPv6 alone unless this is false. */
  readonly v6Only?: boolean;
  readonly transparent?: boolean;
}

/** What `info` tells about the machine. */
export interface HostFacts {
  readonly kernelVersion: string;
  /** `PRETTY_NAME` of os-release. */
  readonly operatingSystem: string;
  readonly osVersion: string;
  /** `x86_64`, `aarch64`. */
  readonly architecture: string;
  readonly cpus: number;
  /** Bytes. */
  readonly memoryTotal: number;
  readonly hostname: string;
  /** MTU of the interface that the default route uses; 1500 where there is no route. */
  readonly uplinkMtu: number;
  /** Names from /proc/filesystems. */
  readonly filesystems: readonly string[];
}

/**
 * The only door to the kernel. Every call runs outside the main loop unless it is stated to be instant;
 * errors are `internal` SlipwayErrors whose cause carries `code` (ENOENT, EBUSY, ...) and `syscall`.
 * Undoing calls succeed when the thing is gone.
 *
 * Firewall changes come as data (`NftHost`, ports/nft.ts): rooms that plan rules may not import the encoders.
 */
export interface Host extends NftHost<NamespaceRef> {
  // processes
  spawn(options: SpawnOptions): Promise<{ pid: number; pidfd: number }>;
  /** Waits for a child that `spawn` made (without blocking anything): its exit code, 128 + n when signal n ended it; -1 when it is not our child. */
  waitChild(pid: number): Promise<number>;
  /** A pidfd, or -1 when the process is gone or its start time differs. Instant. */
  openPidfd(pid: number, startTicks?: string): number;
  /** Sends a signal through a pidfd; false when the process is gone. Instant. */
  signalPidfd(pidfd: number, signal: number): boolean;
  processStat(pid: number): ProcessStat | undefined;
  closeFd(fd: number): void;
  /** A duplicate of another process's descriptor (pidfd_getfd), close-on-exec; how slipway-net's successor takes its sockets. Instant. */
  duplicateFd(pidfd: number, theirFd: number): number;
  /** A connected pair of unix stream sockets, close-on-exec. Instant. */
  socketpair(): readonly [number, number];

  // mounts
  mount(request: MountRequest): Promise<void>;
  /** Private; fails with ENOSYS or EINVAL where kernel or filesystem cannot. */
  mountIdMapped(request: IdMappedMount): Promise<void>;
  /** Idempotent; `detach` is MNT_DETACH. */
  unmount(target: string, options?: { detach?: boolean }): Promise<void>;
  /** Mount points at or below a path (from /proc/self/mountinfo), in order of mounting. */
  mounts(under: string): Promise<readonly MountPoint[]>;
  /** Flushes the filesystem that holds `path`. */
  syncfs(path: string): Promise<void>;
  /** Opens a path below a directory without ever leaving it (openat2 RESOLVE_IN_ROOT); returns a descriptor (O_PATH unless flags say else). */
  openInRoot(
    rootPath: string,
    path: string,
    options?: { flags?: number; mode?: number; noSymlinks?: boolean },
  ): Promise<number>;

  /** A user namespace with these ids, and a network namespace of its own. */
  createUserNamespace(request: UserNamespaceRequest): Promise<UserNamespace>;

  // network namespaces
  /** A new network namespace with loopback up; the descriptor keeps it alive. */
  createNetns(): Promise<{ fd: number; path: string }>;
  openNetns(path: string): Promise<number>;
  /** Runs the operations in order inside a namespace (undefined: the host's). */
  link(namespace: NamespaceRef | undefined, operations: readonly LinkOperation[]): Promise<void>;
  /** All, or the one of that name where there is one. */
  links(namespace?: NamespaceRef, name?: string): Promise<readonly LinkInfo[]>;
  addresses(namespace?: NamespaceRef): Promise<readonly AddressInfo[]>;
  routes(namespace?: NamespaceRef): Promise<readonly RouteInfo[]>;
  /** Forwarding entries and neighbours that were set, not those that the kernel has learned. */
  neighbours(namespace?: NamespaceRef): Promise<readonly NeighbourInfo[]>;
  /** IPsec's policies and keys. Errors carry `code`: ENOENT or EOPNOTSUPP where the kernel lacks a cipher or the protocol. */
  ipsec(namespace: NamespaceRef | undefined, changes: readonly IpsecChange[]): Promise<void>;
  /** Deletes connection tracking entries of UDP/TCP ports towards the host (stale after a port moves). Slow: not for a path that someone waits on. */
  deleteConntrack(filter: {
    protocol: 'tcp' | 'udp' | 'sctp';
    hostPort: number | readonly number[];
    hostIp?: string;
  }): Promise<number>;
  /** Bound (and for tcp listening) sockets made inside a namespace; descriptors are valid in the main thread. */
  openSocket(
    namespace: NamespaceRef | undefined,
    socket: OpenSocketRequest,
  ): Promise<{ fd: number; port: number }>;

  /**
   * A whole endpoint in one round trip. Answers the namespace that was made (`createNamespace`), else undefined.
   * A refused operation's error carries `index`, counted over all operations and changes of all steps.
   */
  networkProgram(program: NetworkProgram): Promise<{ fd: number; path: string } | undefined>;

  /** Calls back for changes in the host's namespace from now on, some at a time; the answer ends it. */
  watchNetwork(listener: (changes: readonly NetworkChange[]) => void): () => void;

  // facts
  facts(): Promise<HostFacts>;
  /** Where limits live on this host. */
  cgroupLayout(): CgroupLayout;
  close(): Promise<void>;
}

export interface CgroupLayout {
  readonly version: 1 | 'hybrid' | 2;
  /** Controller -> mount point, v1 and hybrid; `name=systemd` and `unified` under those names where mounted. */
  readonly controllers: Readonly<Record<string, string>>;
  /** v2 mount point, where there is one. */
  readonly unified: string | undefined;
}

export type { Ctx };
