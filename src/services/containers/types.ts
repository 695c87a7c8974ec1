/**
 * What the containers service offers: one function per thing a person does to a container. The API's routes decode, call
 * one of these and encode; nothing else knows how containers work. Every `ref` is a name, a full id or an unambiguous id
 * prefix; every function fails with `notFound` (`No such container: REF`) when there is none.
 */

import type { Ctx } from '../../core/ctx.ts';
import type { ContainerRecord, Health, HealthProbe, HealthStatus } from '../../core/model/container.ts';
import type {
  ContainerConfig,
  EndpointSpec,
  HostConfig,
  NetworkingConfig,
  Resources,
  RestartPolicy,
} from '../../core/model/container-spec.ts';
import type { LogBatch } from '../../core/ports/log-driver.ts';
import type { Attachment, AttachOptions } from '../../core/ports/runtime.ts';
import type { FileChange } from '../../core/ports/snapshot-driver.ts';
import type { Readable } from 'node:stream';

export interface CreateInput {
  /** As the user wrote it (`web` or `/web`); undefined for a made-up one. */
  readonly name: string | undefined;
  /** `os/arch[/variant]`; undefined for the host's. */
  readonly platform: string | undefined;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly networkingConfig: NetworkingConfig;
}

export interface CreateResult {
  readonly id: string;
  readonly warnings: readonly string[];
}

export interface StopInput {
  /** Name or number (`SIGINT`, `INT`, `2`); undefined for the container's own stop signal. */
  readonly signal: string | undefined;
  /** Seconds; -1 waits for ever; undefined for the container's own timeout. */
  readonly timeout: number | undefined;
}

/** One checkpoint of a container. */
export interface CheckpointPlace {
  readonly name: string;
  /** Absolute, on the engine's host; empty for the container's own folder. */
  readonly directory: string;
}

export interface CheckpointInput extends CheckpointPlace {
  /** The container ends when the checkpoint is written. */
  readonly exit: boolean;
}

/** What a start goes on from; empty texts begin anew. */
export interface StartFrom {
  readonly checkpoint: string;
  readonly directory: string;
}

export interface RemoveInput {
  readonly force: boolean;
  /** Remove its anonymous volumes too. */
  readonly volumes: boolean;
  /** Remove the link `ref` (`parent/alias`), not a container. */
  readonly link: boolean;
}

export interface AttachInput extends AttachOptions {
  /** Replay the log first. */
  readonly logs: boolean;
  /** Follow live output (and feed stdin). */
  readonly stream: boolean;
}

/**
 * An attachment that may begin before the container starts. The caller answers its client at once, writes `backlog`
 * (when present) and then waits for `live`.
 */
export interface AttachSession {
  /** Raw bytes (true) or Docker's multiplexed frames (false) on the wire. */
  readonly tty: boolean;
  readonly backlog: AsyncIterable<LogBatch> | undefined;
  /** The live streams; undefined when none were asked for, or the container is removed or fails before it starts. Never rejects. */
  readonly live: Promise<Attachment | undefined>;
  /** The client is gone, or typed its detach keys: ends `live` and emits `detach`. Idempotent. */
  detach(): void;
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface WaitResult {
  readonly exitCode: number;
  /** Why the container could not be waited for to its end, in words. */
  readonly error?: string;
}

export interface Waiter {
  /** Settles after the exit (or the removal) is committed. Rejects only on the ctx's cancellation. */
  readonly result: Promise<WaitResult>;
}

export interface LogsInput {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow: boolean;
  /** Last lines; undefined for all. */
  readonly tail: number | undefined;
  /** Nanoseconds since the epoch. */
  readonly sinceNano: bigint | undefined;
  readonly untilNano: bigint | undefined;
}

export interface LogsResult {
  /** With a terminal the wire carries plain bytes, else multiplexed frames. */
  readonly tty: boolean;
  readonly entries: AsyncIterable<LogBatch>;
}

/** Docker's filters as decoded: every key with its values. Unknown keys are refused with `invalid`. */
export type Filters = Readonly<Record<string, readonly string[]>>;

export interface ListInput {
  readonly all: boolean;
  /** The newest N, stopped ones too; 0 for no limit. */
  readonly limit: number;
  readonly size: boolean;
  readonly filters: Filters;
}

export type { Health, HealthProbe, HealthStatus };

export interface ContainerSizes {
  /** Bytes in the writable layer. */
  readonly rw: number;
  /** Writable layer and image together. */
  readonly rootFs: number;
}

export interface ContainerSummary {
  readonly record: ContainerRecord;
  /** Docker's words: `Up 3 minutes (healthy)`, `Exited (0) 2 hours ago`, `Created`. */
  readonly status: string;
  /** What the list shows as image: the reference as given, or the id when that name now means another image. */
  readonly image: string;
  readonly health: Health | undefined;
  readonly sizes: ContainerSizes | undefined;
}

export interface ContainerView {
  readonly record: ContainerRecord;
  readonly health: Health | undefined;
  /** Ids of the exec sessions that have not ended; undefined for none. */
  readonly execIds: readonly string[] | undefined;
  readonly graphDriver: { readonly name: string; readonly data: Readonly<Record<string, string>> };
  /** When asked for. */
  readonly sizes: ContainerSizes | undefined;
  /** Host paths; empty where the container has none. */
  readonly hostnamePath: string;
  readonly hostsPath: string;
  readonly resolvConfPath: string;
  /** Descriptor of the image's platform manifest, when known. */
  readonly imageManifestDigest: string | undefined;
  /** Empty while it is not running. */
  readonly sandboxId: string;
  readonly sandboxKey: string;
}

export interface TopResult {
  readonly titles: readonly string[];
  readonly processes: readonly (readonly string[])[];
}

export interface BlkioEntry {
  readonly major: number;
  readonly minor: number;
  /** `read`, `write`, ... */
  readonly op: string;
  readonly value: number;
}

export interface InterfaceCounters {
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  readonly txBytes: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly txDropped: number;
}

export interface CpuCounters {
  /** Nanoseconds. */
  readonly totalUsage: number;
  readonly userUsage: number;
  readonly kernelUsage: number;
  /** cgroup v1 only. */
  readonly perCpuUsage: readonly number[] | undefined;
  /** Nanoseconds of all CPUs of the host since boot, as /proc/stat counts them. */
  readonly systemUsage: number;
  readonly onlineCpus: number;
  readonly throttling: {
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledTime: number;
  };
}

/** One reading of a container's counters. */
export interface StatsSample {
  readonly id: string;
  readonly name: string;
  /** RFC 3339 with nanoseconds; `preread` is the never value on the first sample. */
  readonly read: string;
  readonly preread: string;
  /** Whether it ran at the time; the counters are all absent when it did not. */
  readonly running: boolean;
  readonly cgroupVersion: 1 | 2;
  readonly pids: { readonly current: number; readonly limit: number | undefined } | undefined;
  readonly cpu: CpuCounters | undefined;
  readonly precpu: CpuCounters | undefined;
  readonly memory:
    | {
        readonly usage: number;
        /** v1 only. */
        readonly maxUsage: number | undefined;
        /** Times that the limit was hit; on v2 times that nothing could be reclaimed then. */
        readonly failcnt: number;
        readonly limit: number;
        readonly stats: Readonly<Record<string, number>>;
      }
    | undefined;
  readonly blkio:
    | { readonly serviceBytes: readonly BlkioEntry[]; readonly serviced: readonly BlkioEntry[] }
    | undefined;
  /** By interface name inside the container. */
  readonly networks: Readonly<Record<string, InterfaceCounters>> | undefined;
}

export interface UpdateInput {
  readonly resources: Resources;
  readonly restartPolicy: RestartPolicy | undefined;
}

export interface ExecCreateInput {
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  readonly tty: boolean;
  readonly env: readonly string[];
  readonly cmd: readonly string[];
  readonly privileged: boolean;
  readonly user: string;
  readonly workingDir: string;
  readonly detachKeys: string | undefined;
  /** Rows and columns. */
  readonly consoleSize: readonly [number, number] | undefined;
}

export interface ExecStartInput {
  readonly detach: boolean;
  readonly tty: boolean;
  readonly consoleSize: readonly [number, number] | undefined;
}

export interface ExecStartResult {
  readonly tty: boolean;
  /** Undefined when detached. */
  readonly attachment: Attachment | undefined;
  /** Never rejects. */
  readonly exit: Promise<{ readonly exitCode: number }>;
}

export interface ExecView {
  readonly id: string;
  readonly containerId: string;
  readonly running: boolean;
  /** Undefined until it ended. */
  readonly exitCode: number | undefined;
  readonly pid: number;
  readonly openStdin: boolean;
  readonly openStdout: boolean;
  readonly openStderr: boolean;
  readonly canRemove: boolean;
  readonly detachKeys: string;
  readonly tty: boolean;
  readonly entrypoint: string;
  readonly arguments: readonly string[];
  readonly privileged: boolean;
  readonly user: string;
}

/** What `X-Docker-Container-Path-Stat` carries. */
export interface PathStat {
  readonly name: string;
  readonly size: number;
  /** Go's os.FileMode bits. */
  readonly mode: number;
  /** RFC 3339 with nanoseconds. */
  readonly mtime: string;
  readonly linkTarget: string;
}

export interface PutArchiveInput {
  readonly path: string;
  /** Uncompressed or gzip/bzip2/xz/zstd tar. */
  readonly archive: Readable;
  readonly noOverwriteDirNonDir: boolean;
  readonly copyUIDGID: boolean;
}

export interface CommitImageInput {
  /** Name of the image, with or without a tag; empty for none. */
  readonly repository: string;
  readonly tag: string;
  readonly comment: string;
  readonly author: string;
  /** Freezes a running container meanwhile. */
  readonly pause: boolean;
  /** Dockerfile instructions. */
  readonly changes: readonly string[];
  /** What the image's config is made of; undefined for the container's own. */
  readonly config: ContainerConfig | undefined;
}

export interface PruneResult {
  readonly removed: readonly string[];
  readonly spaceReclaimed: number;
}

export interface ContainerService {
  create(ctx: Ctx, input: CreateInput): Promise<CreateResult>;
  /** `notModified` when it runs already. `notImplemented` with what is missing when the host cannot restore a checkpoint. */
  start(ctx: Ctx, ref: string, from?: StartFrom): Promise<void>;
  /** `notModified` when it does not run. */
  stop(ctx: Ctx, ref: string, input: StopInput): Promise<void>;
  /** `signal` as for stop; undefined for SIGKILL. `conflict` when it does not run. */
  kill(ctx: Ctx, ref: string, signal: string | undefined): Promise<void>;
  restart(ctx: Ctx, ref: string, input: StopInput): Promise<void>;
  pause(ctx: Ctx, ref: string): Promise<void>;
  unpause(ctx: Ctx, ref: string): Promise<void>;
  remove(ctx: Ctx, ref: string, input: RemoveInput): Promise<void>;
  rename(ctx: Ctx, ref: string, newName: string): Promise<void>;
  resize(ctx: Ctx, ref: string, rows: number, columns: number): Promise<void>;
  attach(ctx: Ctx, ref: string, input: AttachInput): Promise<AttachSession>;
  /** Synchronous, so that nothing happens between the registration and the caller's answer to its client. */
  wait(ctx: Ctx, ref: string, condition: WaitCondition): Waiter;
  logs(ctx: Ctx, ref: string, input: LogsInput): Promise<LogsResult>;
  list(ctx: Ctx, input: ListInput): Promise<readonly ContainerSummary[]>;
  inspect(ctx: Ctx, ref: string, input: { readonly size: boolean }): Promise<ContainerView>;
  top(ctx: Ctx, ref: string, psArguments: string): Promise<TopResult>;
  /** One sample a second while `stream`; one sample otherwise (`oneShot`: without a first reading for precpu). */
  stats(
    ctx: Ctx,
    ref: string,
    input: { readonly stream: boolean; readonly oneShot: boolean },
  ): Promise<AsyncIterable<StatsSample>>;
  update(ctx: Ctx, ref: string, input: UpdateInput): Promise<{ readonly warnings: readonly string[] }>;
  changes(ctx: Ctx, ref: string): Promise<readonly FileChange[]>;
  /** The whole filesystem as a tar stream. */
  export(ctx: Ctx, ref: string): Promise<Readable>;
  statPath(ctx: Ctx, ref: string, path: string): Promise<PathStat>;
  getArchive(ctx: Ctx, ref: string, path: string): Promise<{ stat: PathStat; archive: Readable }>;
  putArchive(ctx: Ctx, ref: string, input: PutArchiveInput): Promise<void>;
  /** `conflict` when it does not run; `notImplemented` with what is missing when the host cannot. */
  createCheckpoint(ctx: Ctx, ref: string, input: CheckpointInput): Promise<void>;
  /** Names; undefined when there never was one. `internal`, in Docker's words, when a given directory is not there. */
  listCheckpoints(ctx: Ctx, ref: string, directory: string): Promise<readonly string[] | undefined>;
  removeCheckpoint(ctx: Ctx, ref: string, place: CheckpointPlace): Promise<void>;
  prune(ctx: Ctx, filters: Filters): Promise<PruneResult>;
  /** Makes an image of what the container changed; returns the image's id. */
  commit(ctx: Ctx, ref: string, input: CommitImageInput): Promise<{ readonly id: string }>;

  execCreate(ctx: Ctx, ref: string, input: ExecCreateInput): Promise<{ readonly id: string }>;
  execStart(ctx: Ctx, execId: string, input: ExecStartInput): Promise<ExecStartResult>;
  execInspect(ctx: Ctx, execId: string): Promise<ExecView>;
  execResize(ctx: Ctx, execId: string, rows: number, columns: number): Promise<void>;

  /** Connects a container to a network (at once when it runs) and disconnects it. */
  connectNetwork(
    ctx: Ctx,
    networkRef: string,
    ref: string,
    endpoint: EndpointSpec | undefined,
  ): Promise<void>;
  disconnectNetwork(ctx: Ctx, networkRef: string, ref: string, force: boolean): Promise<void>;

  // for the other services and `info`; instant, from memory
  /** Every record, in no order. */
  records(): readonly ContainerRecord[];
  /** The record that `ref` names, or `notFound`. */
  resolve(ref: string): ContainerRecord;
  counts(): { readonly running: number; readonly paused: number; readonly stopped: number };
}
