/**
 * A Runtime in memory, for tests of the services without root. Its "programs" are functions; a handful of well-known commands and a
 * tiny shell are built in. State lives in a world, so that a second runtime over the same world plays the restarted daemon.
 */
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { internal, invalid, notFound } from '../../../src/core/errors.ts';
import type {
  Attachment,
  AttachOptions,
  ExecTask,
  Runtime,
  Task,
  TaskExit,
  TaskSpec,
} from '../../../src/core/ports/runtime.ts';
import { standardPrograms, type FakeProgram } from './runtime-programs.ts';

export interface FakeRuntimeOptions {
  /** Shared by runtimes that play one machine. */
  readonly world?: FakeRuntimeWorld;
  /** More programs, by argv[0]. */
  readonly programs?: Readonly<Record<string, FakeProgram>>;
  readonly runtimes?: readonly string[];
}

interface FakeContainer {
  readonly spec: TaskSpec;
  readonly main: FakeRunning;
  readonly execs: Map<string, FakeRunning>;
  exit: TaskExit | undefined;
  paused: boolean;
  released: boolean;
  readonly sizes: [number, number][];
}

/** What exists on the pretended machine. */
export interface FakeRuntimeWorld {
  readonly containers: Map<string, FakeContainer>;
  nextPid: number;
}

export function createFakeRuntimeWorld(): FakeRuntimeWorld {
  return { containers: new Map(), nextPid: 1000 };
}

interface ProcessDocument {
  readonly args?: readonly string[];
}

function processOf(value: unknown): ProcessDocument {
  return value ?? {};
}

/** One pretended process: output fan-out, stdin, signals and an exit code. */
class FakeRunning {
  readonly pid: number;
  readonly exited: Promise<number>;
  readonly stdin = new PassThrough();
  readonly #sinks = new Set<{ options: AttachOptions; stdout: PassThrough; stderr: PassThrough }>();
  readonly #settings: { terminal: boolean; openStdin: boolean; closeStdin: boolean; isInit: boolean };
  readonly #onOutput: (stream: 'stdout' | 'stderr', text: string) => void;
  #finish: (code: number) => void = () => {};
  #handler: ((signal: number) => void) | undefined;
  done = false;

  constructor(
    pid: number,
    settings: { terminal: boolean; openStdin: boolean; closeStdin: boolean; isInit: boolean },
    onOutput: (stream: 'stdout' | 'stderr', text: string) => void,
  ) {
    this.pid = pid;
    this.#settings = settings;
    this.#onOutput = onOutput;
    this.exited = new Promise((resolve) => {
      this.#finish = resolve;
    });
    if (!settings.openStdin) this.stdin.end();
  }

  run(program: FakeProgram, args: readonly string[]): void {
    void Promise.resolve()
      .then(() =>
        program({
          args,
          stdin: this.stdin,
          exited: this.exited,
          write: (stream, text) => this.#write(stream, text),
          exit: (code) => this.exit(code),
          onSignal: (handler) => {
            this.#handler = handler;
          },
        }),
      )
      .catch(() => this.exit(255));
  }

  attach(options: AttachOptions): Attachment {
    const sink = { options, stdout: new PassThrough(), stderr: new PassThrough() };
    if (this.done) {
      sink.stdout.end();
      sink.stderr.end();
    } else this.#sinks.add(sink);
    let stdin: PassThrough | undefined;
    if (options.stdin) {
      stdin = new PassThrough();
      stdin.pipe(this.stdin, { end: this.#settings.closeStdin });
    }
    const detach = (): void => {
      this.#sinks.delete(sink);
      stdin?.unpipe(this.stdin);
      sink.stdout.end();
      sink.stderr.end();
    };
    return { stdout: sink.stdout, stderr: sink.stderr, stdin, detach };
  }

  exit(code: number): void {
    if (this.done) return;
    this.done = true;
    for (const sink of this.#sinks) {
      sink.stdout.end();
      sink.stderr.end();
    }
    this.#finish(code);
  }

  signal(signal: number): void {
    if (this.done) return;
    if (signal === 9) this.exit(137);
    else if (this.#handler) this.#handler(signal);
    // The kernel drops signals without a handler for the first process of a pid namespace.
    else if (!this.#settings.isInit) this.exit(128 + signal);
  }

  #write(stream: 'stdout' | 'stderr', text: string): void {
    if (this.done) return;
    const to = this.#settings.terminal ? 'stdout' : stream;
    const shown = this.#settings.terminal ? text.replaceAll('\n', '\r\n') : text;
    this.#onOutput(to, shown);
    for (const sink of this.#sinks) if (sink.options[to]) sink[to].write(shown);
  }
}

/** Creates a Runtime that keeps everything in `world`. */
export function createFakeRuntime(
  options: FakeRuntimeOptions = {},
): Runtime & { readonly world: FakeRuntimeWorld } {
  const world = options.world ?? createFakeRuntimeWorld();
  const programs: Record<string, FakeProgram> = { ...standardPrograms, ...options.programs };
  const names = options.runtimes ?? ['crun', 'runc'];

  const resolveProgram = (verb: 'create' | 'exec', args: readonly string[]): FakeProgram => {
    const name = args[0] ?? '';
    const program = programs[name] ?? programs[`/bin/${name}`];
    if (program) return program;
    const why = name.startsWith('/')
      ? `stat ${name}: no such file or directory`
      : 'executable file not found in $PATH';
    throw notFound(`OCI runtime ${verb} failed: exec: "${name}": ${why}: unknown`);
  };

  const taskOf = (container: FakeContainer, attachments: readonly Attachment[]): Task => ({
    pid: container.main.pid,
    pidStartTicks: String(container.main.pid * 7),
    shimPid: container.main.pid - 1,
    attachments,
    exit: container.main.exited.then(() => container.exit as TaskExit),
    attach: async (attach) => container.main.attach(attach),
    resize: async (rows, columns) => {
      container.sizes.push([rows, columns]);
    },
    exec: async (_ctx, spec) => {
      const args = processOf(spec.process).args ?? [];
      const program = resolveProgram('exec', args);
      if (container.main.done) throw notFound(`container ${container.spec.containerId} is not running`);
      const running = new FakeRunning(
        (world.nextPid += 1),
        { terminal: spec.terminal, openStdin: spec.openStdin, closeStdin: true, isInit: false },
        () => {},
      );
      container.execs.set(spec.execId, running);
      const attachment = spec.attach ? running.attach(spec.attach) : undefined;
      void container.main.exited.then(() => running.exit(137));
      running.run(program, args);
      const task: ExecTask = {
        pid: running.pid,
        attachment,
        exit: running.exited.then((exitCode) => ({ exitCode })),
        resize: async () => {},
      };
      return task;
    },
    signal: async (signal, execId) => {
      const target = execId === undefined ? container.main : container.execs.get(execId);
      target?.signal(signal);
    },
    checkpoint: async (_ctx, images) => {
      if (container.main.done) throw internal(`${container.spec.runtime} did not terminate successfully`);
      writeFileSync(join(images, 'inventory.img'), 'a process');
    },
    pause: async () => {
      container.paused = true;
    },
    resume: async () => {
      container.paused = false;
    },
    release: () => {
      container.released = true;
    },
  });

  return {
    world,
    async start(_ctx, spec) {
      if (!names.includes(spec.runtime)) throw invalid(`unknown or invalid runtime name: ${spec.runtime}`);
      const args = processOf((spec.ociSpec as { process?: unknown }).process).args ?? [];
      const program = resolveProgram('create', args);
      const from = spec.restoreFrom;
      if (from !== undefined && !existsSync(join(from, 'inventory.img')))
        throw internal(`OCI runtime restore failed: no checkpoint in ${from}: unknown`);
      const main = new FakeRunning(
        (world.nextPid += 2),
        { terminal: spec.terminal, openStdin: spec.openStdin, closeStdin: spec.stdinOnce, isInit: true },
        (stream, text) => {
          if (spec.log.path === undefined) return;
          for (const line of text.match(/[^\n]*\n|[^\n]+/g) ?? []) {
            const entry = { log: line, stream, time: new Date().toISOString() };
            appendFileSync(spec.log.path, `${JSON.stringify(entry)}\n`);
          }
        },
      );
      const container: FakeContainer = {
        spec,
        main,
        execs: new Map(),
        exit: undefined,
        paused: false,
        released: false,
        sizes: [],
      };
      world.containers.set(spec.containerId, container);
      void main.exited.then((exitCode) => {
        const exitedAtNano = BigInt(Date.now()) * 1_000_000n;
        container.exit = { exitCode, exitedAtNano, oomKilled: false };
      });
      const attachments = spec.attachments.map((attach) => main.attach(attach));
      main.run(program, args);
      return taskOf(container, attachments);
    },
    async recover(_ctx, input) {
      const container = world.containers.get(input.containerId);
      if (!container) return { state: 'gone' };
      if (container.exit) return { state: 'exited', exit: container.exit };
      return { state: 'running', task: taskOf(container, []) };
    },
    async cleanup(_ctx, input) {
      world.containers.get(input.containerId)?.main.exit(137);
      world.containers.delete(input.containerId);
    },
    list: async () => [...world.containers.keys()],
    checkpointProblem: async () => undefined,
    info: () => names.map((name) => ({ name, path: `/usr/bin/${name}`, version: '1.0.0', warnings: [] })),
  };
}
