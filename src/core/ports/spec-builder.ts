import type { Ctx } from '../ctx.ts';
import type { ContainerRecord } from '../model/container.ts';
import type { HostConfig } from '../model/container-spec.ts';
import type { IdMapping } from '../model/id-mapping.ts';

/** A user of the container's own files, looked up. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly home: string;
}

/** One mount in the order and form of the OCI runtime spec. */
export interface SpecMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** `private` makes a new one, `host` shares the host's, a path joins that one. */
export type NamespaceChoice = 'private' | 'host' | { readonly path: string };

export interface SpecInput {
  readonly record: ContainerRecord;
  /** Mounted root filesystem, absolute. */
  readonly rootPath: string;
  /** Binds, volumes, tmpfs and the engine's own files; they replace a default mount of the same destination. */
  readonly mounts: readonly SpecMount[];
  readonly user: ResolvedUser;
  /** Complete: defaults, image, user. */
  readonly env: readonly string[];
  /** Empty with the host's UTS namespace. */
  readonly hostname: string;
  readonly namespaces: {
    readonly network: NamespaceChoice;
    readonly pid: NamespaceChoice;
    readonly ipc: NamespaceChoice;
    readonly uts: NamespaceChoice;
    readonly cgroup: NamespaceChoice;
  };
  /** By whose ids the container's users are; undefined for the host's own. */
  readonly userNamespace?: { readonly path: string; readonly mapping: IdMapping } | undefined;
  /** Static init program on the host, when one was asked for. */
  readonly initPath: string | undefined;
  /** Whether `cwd` exists in the image or was made. */
  readonly workingDir: string;
}

export interface ExecProcessInput {
  readonly record: ContainerRecord;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string;
  readonly user: ResolvedUser;
  readonly terminal: boolean;
  readonly privileged: boolean;
  readonly consoleSize: readonly [number, number] | undefined;
}

/** One value for one file of a container's cgroups. */
export interface CgroupWrite {
  readonly directory: string;
  readonly file: string;
  readonly value: string;
  /** The kernel may lack the file, or refuse it in the present state. */
  readonly optional: boolean;
}

/** What systemd is told of a container's limits: assignments as `systemctl set-property` takes them. */
export interface UnitChange {
  readonly unit: string;
  readonly properties: readonly string[];
}

/** From the engine's records to the documents of the OCI runtime spec. */
export interface SpecBuilder {
  /**
   * Checks everything that a start would refuse (capabilities, security options, sysctls, devices, ulimits); `invalid`.
   * Gives back the request without what this host cannot do, and a warning for each such thing.
   */
  validate(hostConfig: HostConfig): { readonly hostConfig: HostConfig; readonly warnings: readonly string[] };
  /** config.json. `invalid` for host devices that do not exist. */
  container(ctx: Ctx, input: SpecInput): Promise<unknown>;
  /** The `process` object of an exec. */
  exec(input: ExecProcessInput): unknown;
  /** What to write to bring a running container from its present limits to others. `invalid` for devices that do not exist. */
  limitWrites(record: ContainerRecord, next: HostConfig): readonly CgroupWrite[];
  /** Limits that the OCI runtime cannot set: to be written as soon as it has started the container. */
  lateWrites(record: ContainerRecord): readonly CgroupWrite[];
  /** The same for the unit of a container that is a scope of systemd; undefined where there is none, or nothing changes. */
  unitChange(record: ContainerRecord, next: HostConfig): UnitChange | undefined;
  /** Where the container's cgroups will be at its next start: a path, or `slice:prefix:name` of a scope of systemd. */
  cgroupsPath(record: ContainerRecord): string;
  /** The container's cgroup directories: absolute, one per mounted hierarchy. Those of its last start while the record names them. */
  cgroupPaths(record: ContainerRecord): readonly string[];
  /** Whether containers get a cgroup namespace of their own unless told otherwise (v2). */
  readonly privateCgroupNamespace: boolean;
  /** Whether a read-only bind can cover what is mounted below it (mount_setattr, kernel 5.12). */
  readonly recursiveReadOnly: boolean;
}
