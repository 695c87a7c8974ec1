import { conflict, invalid, notFound } from '../../core/errors.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import type { Attachment, AttachOptions, Task } from '../../core/ports/runtime.ts';
import type { ExecSession } from './exec-session.ts';
import type { HealthMonitor } from './health-rules.ts';
import type { WaitCondition, WaitResult } from './types.ts';

/** An attachment asked for before the start. */
export interface PendingAttachment {
  readonly options: AttachOptions;
  readonly settle: (attachment: Attachment | undefined) => void;
}

export interface Waiting {
  readonly condition: WaitCondition;
  readonly settle: (result: WaitResult) => void;
}

/** One container in memory: its committed record and what lives only as long as the daemon. */
export interface Entry {
  readonly id: string;
  /** The last committed record; replaced, never changed. */
  record: ContainerRecord;
  task: Task | undefined;
  readonly pending: Set<PendingAttachment>;
  readonly waiting: Set<Waiting>;
  readonly execs: Map<string, ExecSession>;
  health: HealthMonitor | undefined;
  /** The log's driver at work on this container's log. */
  tending: { readonly stop: () => void; readonly done: Promise<void>; readonly sendsOn: boolean } | undefined;
  /** Cancels the start that is under way; `rm -f` uses it. */
  starting: AbortController | undefined;
  /** A restart that waits for its back-off. */
  restartTimer: NodeJS.Timeout | undefined;
  /** Set by stop, kill and rm, so that the exit that follows starts no restart. */
  stopRequested: boolean;
  /** Files were put into it before its first start: facts cached per image do not hold. */
  touched: boolean;
  /** Resolves when the current run has ended and its exit is committed. Replaced at every start. */
  ended: Ended;
}

export interface Ended {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

export function newEnded(): Ended {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { promise, resolve: () => resolve() };
}

export function newEntry(record: ContainerRecord): Entry {
  return {
    id: record.id,
    record,
    task: undefined,
    pending: new Set(),
    waiting: new Set(),
    execs: new Map(),
    health: undefined,
    tending: undefined,
    starting: undefined,
    restartTimer: undefined,
    stopRequested: false,
    touched: false,
    ended: newEnded(),
  };
}

const rememberMs = 10_000;
const minPrefix = /^[0-9a-f]+$/;

/** All containers by id, and who holds which name. Names are claimed synchronously, before any record is written. */
export class ContainerTable {
  readonly #entries = new Map<string, Entry>();
  readonly #names = new Map<string, string>();
  readonly #execs = new Map<string, Entry>();
  readonly #departed = new Map<string, number>();

  entries(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  get(id: string): Entry | undefined {
    return this.#entries.get(id);
  }

  add(entry: Entry): void {
    this.#entries.set(entry.id, entry);
    this.#names.set(entry.record.name, entry.id);
  }

  /** Forgets a container and its name. */
  drop(id: string): void {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    if (entry === undefined) return;
    for (const execId of entry.execs.keys()) this.#execs.delete(execId);
    this.releaseName(entry.record.name, id);
  }

  /** Keeps the exit code of a container that `--rm` took away for those who ask a moment too late. */
  rememberExit(id: string, exitCode: number): void {
    this.#departed.set(id, exitCode);
    setTimeout(() => this.#departed.delete(id), rememberMs).unref();
  }

  /** Exit code of a container of this full id that was removed by itself just now. */
  departed(id: string): number | undefined {
    return this.#departed.get(id);
  }

  nameTaken(name: string): boolean {
    return this.#names.has(name);
  }

  /** `conflict` in Docker's words when another container holds the name. */
  reserveName(name: string, id: string): void {
    const holder = this.#names.get(name);
    if (holder !== undefined && holder !== id) {
      throw conflict(
        `Conflict. The container name "/${name}" is already in use by container "${holder}". ` +
          'You have to remove (or rename) that container to be able to reuse that name.',
      );
    }
    this.#names.set(name, id);
  }

  /** Gives a name back, if this container holds it. */
  releaseName(name: string, id: string): void {
    if (this.#names.get(name) === id) this.#names.delete(name);
  }

  /** By full id, name (with or without slash) or unambiguous id prefix. */
  resolve(ref: string): Entry {
    const exact = this.#entries.get(ref);
    if (exact !== undefined) return exact;
    const named = this.#names.get(ref.startsWith('/') ? ref.slice(1) : ref);
    const byName = named === undefined ? undefined : this.#entries.get(named);
    if (byName !== undefined) return byName;
    return this.#byPrefix(ref);
  }

  #byPrefix(ref: string): Entry {
    let found: Entry | undefined;
    if (minPrefix.test(ref)) {
      for (const entry of this.#entries.values()) {
        if (!entry.id.startsWith(ref)) continue;
        if (found !== undefined) throw invalid(`Multiple IDs found with provided prefix: ${ref}`);
        found = entry;
      }
    }
    if (found === undefined) throw notFound(`No such container: ${ref}`);
    return found;
  }

  registerExec(execId: string, entry: Entry): void {
    this.#execs.set(execId, entry);
  }

  forgetExec(execId: string): void {
    this.#execs.delete(execId);
  }

  execOwner(execId: string): Entry {
    const entry = this.#execs.get(execId);
    if (entry === undefined) throw notFound(`No such exec instance: ${execId}`);
    return entry;
  }
}
