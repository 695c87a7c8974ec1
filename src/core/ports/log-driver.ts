import type { Ctx } from '../ctx.ts';

export interface LogEntry {
  readonly stream: 'stdout' | 'stderr';
  /** With its final newline, unless it is a piece of a line longer than 16 KiB or the end of the output. */
  readonly line: Buffer;
  /** RFC 3339 with nanoseconds, as written. */
  readonly time: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

export interface LogReadOptions {
  /** Last lines before following; undefined for all. */
  readonly tail: number | undefined;
  /** Nanoseconds since the epoch. */
  readonly sinceNano: bigint | undefined;
  readonly untilNano: bigint | undefined;
  readonly follow: boolean;
  /** Resolves when no more output will come; following ends after the rest was read. */
  readonly ended?: Promise<unknown>;
}

/** What a log may tell of the container it is of. */
export interface LoggedContainer {
  readonly id: string;
  readonly name: string;
  readonly imageId: string;
  readonly imageName: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `NAME=value`. */
  readonly env: readonly string[];
}

/** Where a container's output is kept and how it is read back. The shim writes; a driver reads. */
export interface LogDriver {
  readonly name: string;
  /** Checks `--log-opt`; `invalid` with Docker's wording (`unknown log opt 'x' for json-file log driver`). Pure. */
  validate(options: Readonly<Record<string, string>>): { maxSize: number; maxFile: number };
  /** The attributes that the options choose for every line (`labels`, `env`, `tag`); absent for drivers without. Pure. */
  attributes?(
    options: Readonly<Record<string, string>>,
    container: LoggedContainer,
  ): Readonly<Record<string, string>> | undefined;
  /** Reads over rotated files, oldest first. `ctx.signal` ends a follow. */
  read(ctx: Ctx, path: string, options: LogReadOptions): AsyncIterable<LogEntry>;
  /** Removes the log and its rotated files. Idempotent. */
  remove(path: string): Promise<void>;
}
