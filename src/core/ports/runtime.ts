import type { Duplex, Readable } from 'node:stream';
import type { Ctx } from '../ctx.ts';
import type { Owner } from '../model/id-mapping.ts';

/** What a start hands to the runtime. All paths absolute. */
export interface TaskSpec {
  readonly containerId: string;
  /** Holds config.json; the shim keeps its own state here too. On tmpfs. */
  readonly bundle: string;
  /** The OCI config.json document, written to the bundle by the runtime. */
  readonly ociSpec: unknown;
  readonly terminal: boolean;
  /** Rows and columns of the terminal at start, when known. */
  readonly consoleSize?: readonly [number, number];
  /** Whether stdin stays open for attachers; else /dev/null. */
  readonly openStdin: boolean;
  /** Close the container's stdin when the first attached client's stdin ends. */
  readonly stdinOnce: boolean;
  readonly log: {
    /** Path of the json-file log; undefined writes none (`--log-driver none`). */
    readonly path: string | undefined;
    /** Bytes; 0 for unlimited. */
    readonly maxSize: number;
    readonly maxFile: number;
    /** Whether bytes that are no UTF-8 can be read back. */
    readonly keepBytes?: boolean;
    /** Bytes that may wait to be sent on by the daemon, whose cursor lies beside the log (`PATH.cursor`); it alone then deletes files. */
    readonly unsentMax?: number;
    /** Written into every line (`--log-opt labels=...`), as the driver chose them. */
    readonly attributes?: Readonly<Record<string, string>>;
  };
  /** Where the shim writes the exit record; on the data root, so that it outlives a crash of the machine's run root. */
  readonly exitPath: string;
  /** The OCI runtime to use: `crun`, `runc` or a configured name. */
  readonly runtime: string;
  /** cgroup directories to read OOM counts from and to remove after the exit (absolute, one per hierarchy). */
  readonly cgroupPaths: readonly string[];
  /** Root of the container's user namespace as the host counts it; its streams are given to it. */
  readonly root?: Owner | undefined;
  /** Attachments that must see the output from its first byte. */
  readonly attachments: readonly AttachOptions[];
  /** Images that `Task.checkpoint` wrote: the processes go on from there instead of beginning anew. */
  readonly restoreFrom?: string;
}

export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/**
 * A live attachment. With a terminal, `output` carries raw bytes on `stdout` alone. A client that reads slowly never stalls the
 * container. Ends when the process has exited and all its output was delivered, or on `detach`.
 */
export interface Attachment {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Writable side; ending it ends the client's stdin (half-close). Present when stdin was asked for. */
  readonly stdin: Duplex | NodeJS.WritableStream | undefined;
  detach(): void;
}

export interface TaskExit {
  /** 0 to 255; 128+n for signal n. */
  readonly exitCode: number;
  /** Nanoseconds since the epoch. */
  readonly exitedAtNano: bigint;
  readonly oomKilled: boolean;
}

export interface ExecSpec {
  readonly execId: string;
  /** The `process` object of the OCI runtime spec. */
  readonly process: unknown;
  readonly terminal: boolean;
  readonly consoleSize?: readonly [number, number];
  readonly openStdin: boolean;
  readonly attach: AttachOptions | undefined;
}

export interface ExecTask {
  readonly pid: number;
  readonly attachment: Attachment | undefined;
  readonly exit: Promise<{ readonly exitCode: number }>;
  resize(rows: number, columns: number): Promise<void>;
}

/** A container's processes under one shim. */
export interface Task {
  readonly pid: number;
  readonly pidStartTicks: string;
  readonly shimPid: number;
  /** In the order of `TaskSpec.attachments`; empty after a reconnect. */
  readonly attachments: readonly Attachment[];
  /** Resolves once; never rejects. The exit record is durable before it resolves. */
  readonly exit: Promise<TaskExit>;
  attach(options: AttachOptions): Promise<Attachment>;
  resize(rows: number, columns: number): Promise<void>;
  /** Errors: `notFound` with Docker's wording for a missing or non-executable command (the service maps them to 126/127). */
  exec(ctx: Ctx, spec: ExecSpec): Promise<ExecTask>;
  /** Signals one exec'd process by its exec id, or PID 1 when undefined; through a pidfd. Succeeds when it is gone. */
  signal(signal: number, execId?: string): Promise<void>;
  /**
   * Writes the processes' state into the directory `images`, which is there and empty. They stay as they were, running or frozen.
   * `internal` when it cannot be done; the directory then holds what there was of it.
   */
  checkpoint(ctx: Ctx, images: string): Promise<void>;
  /** Freezes / thaws the cgroup. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Tells the shim that its exit was taken over; it may end. Idempotent. */
  release(): void;
}

export interface RuntimeInfo {
  readonly name: string;
  readonly path: string;
  readonly version: string;
  /** Known vulnerabilities of this version, in words for `info`. */
  readonly warnings: readonly string[];
}

export interface Runtime {
  /** Spawns shim and OCI runtime; resolves once the process runs. On failure nothing is left behind. */
  start(ctx: Ctx, spec: TaskSpec): Promise<Task>;
  /** After a restart of the daemon: the running task, its exit when it ended meanwhile, or `gone` when no trace is left. */
  recover(
    ctx: Ctx,
    input: {
      containerId: string;
      bundle: string;
      exitPath: string;
      terminal: boolean;
      cgroupPaths: readonly string[];
      runtime: string;
    },
  ): Promise<{ state: 'running'; task: Task } | { state: 'exited'; exit: TaskExit } | { state: 'gone' }>;
  /** Removes everything of a dead container: runtime state, cgroups, bundle, sockets. Idempotent. */
  cleanup(
    ctx: Ctx,
    input: { containerId: string; bundle: string; cgroupPaths: readonly string[]; runtime: string },
  ): Promise<void>;
  /** Container ids of which anything (shim, bundle, runtime state) exists. */
  list(): Promise<readonly string[]>;
  info(): readonly RuntimeInfo[];
  /** Why containers of this runtime can be neither checkpointed nor restored on this host, as a sentence; undefined when they can. */
  checkpointProblem(runtime: string): Promise<string | undefined>;
}
