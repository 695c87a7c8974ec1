import type { Ctx } from '../ctx.ts';
import type { LogBatch, LogPosition } from '../log-batch.ts';

export type { LogBatch, LogEntry } from '../log-batch.ts';

export interface LogReadOptions {
  /** Last lines before following; undefined for all. */
  readonly tail: number | undefined;
  /** Nanoseconds since the epoch. */
  readonly sinceNano: bigint | undefined;
  readonly untilNano: bigint | undefined;
  readonly follow: boolean;
  /** Resolves when no more output will come; following ends after the rest was read. */
  readonly ended?: Promise<unknown>;
  /** Streams to give; both when absent. Tails count lines of both, as in Docker. */
  readonly only?: 'stdout' | 'stderr';
  /** Begin there instead of at the beginning. */
  readonly from?: LogPosition;
}

/** What a log may tell of the container it is of. */
export interface LoggedContainer {
  readonly id: string;
  readonly name: string;
  readonly imageId: string;
  readonly imageName: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** What runs: the program and its arguments. */
  readonly path: string;
  readonly args: readonly string[];
  readonly logPath: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `NAME=value`. */
  readonly env: readonly string[];
}

/** How the shim writes a container's log, and who takes care of its files. */
export interface LogPlan {
  /** Bytes of one file; 0 for unlimited. */
  readonly maxSize: number;
  /** Files in all. */
  readonly maxFile: number;
  /** Whether full files are compressed (by the daemon, some time later). */
  readonly compress?: boolean;
  /** Whether bytes that are no UTF-8 can be read back; else they become U+FFFD, as in Docker's json-file. */
  readonly keepBytes?: boolean;
  /** Whether `logs` may read it; true when absent. */
  readonly readable?: boolean;
  /** Bytes that may wait to be sent on; 0 where nothing is sent on. The shim then deletes nothing by itself. */
  readonly unsentMax?: number;
}

/** What a driver has to know to take care of one container's log. */
export interface LogTending {
  readonly path: string;
  readonly options: Readonly<Record<string, string>>;
  readonly plan: LogPlan;
  readonly container: LoggedContainer;
  /** Resolves when no more output will come. */
  readonly ended: Promise<unknown>;
}

/** Where a container's output is kept and how it is read back. The shim writes; a driver reads. */
export interface LogDriver {
  readonly name: string;
  /** Checks `--log-opt`; `invalid` with Docker's wording (`unknown log opt 'x' for json-file log driver`). Pure. */
  validate(options: Readonly<Record<string, string>>): LogPlan;
  /** Throws in words when this host cannot do it; asked at each start. */
  checkHost?(): void;
  /** The attributes that the options choose for every line (`labels`, `env`, `tag`); absent for drivers without. Pure. */
  attributes?(
    options: Readonly<Record<string, string>>,
    container: LoggedContainer,
  ): Readonly<Record<string, string>> | undefined;
  /** Reads over rotated files, oldest first. `ctx.signal` ends a follow. A batch is good for as long as one likes. */
  read(ctx: Ctx, path: string, options: LogReadOptions): AsyncIterable<LogBatch>;
  /**
   * Takes care of a log while it is written, and after: compresses, sends on. Ends when the output has ended and nothing is left to be
   * done; `ctx.signal` ends it at once, and it may be called again. Never rejects. Absent where there is nothing to take care of.
   */
  tend?(ctx: Ctx, tending: LogTending): Promise<void>;
  /** Removes the log and its rotated files. Idempotent. */
  remove(path: string): Promise<void>;
}
