/** A built engine for a scenario: roots, socket, bridge and table of its own, driven by `slipway` and by the real docker CLI. */

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { pings } from '../../scripts/engine/daemon.ts';
import { makeBusyboxImage } from '../../scripts/images/busybox.ts';
import type { NotedEngine } from '../../scripts/tests/leftovers.ts';

const execute = promisify(execFile);
const repository = join(import.meta.dirname, '../..');

/** The two clients that every scenario is driven by. */
export type Client = 'slipway' | 'docker';
export const clients: readonly Client[] = ['slipway', 'docker'];

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Engine {
  readonly socket: string;
  readonly folder: string;
  readonly instance: string;
  /** The daemon's process id. */
  pid(): number;
  /** Runs a client's command line to its end, whatever its exit code. */
  run(client: Client, args: readonly string[], input?: string | Buffer): Promise<Outcome>;
  /** The same for a command that must succeed; its trimmed output. */
  ok(client: Client, args: readonly string[], input?: string | Buffer): Promise<string>;
  /** A client left running, for `logs -f` and the like. */
  background(client: Client, args: readonly string[]): ChildProcess;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** With the arguments of `startEngine`, or with these in their place. */
  start(args?: readonly string[]): Promise<void>;
  /** Removes all that the engine made. */
  close(): Promise<void>;
  log(): string;
}

/** Fails with the command and what it printed: a bare exit code helps nobody. */
export class CommandFailed extends Error {
  constructor(command: string, outcome: Outcome) {
    super(`${command}: exit code ${outcome.code}\n${outcome.stdout}${outcome.stderr}`);
  }
}

function programOf(client: Client, socket: string): readonly [string, string[]] {
  const program = client === 'docker' ? 'docker' : join(repository, 'dist/bin/slipway');
  return [program, ['-H', `unix://${socket}`]];
}

export async function runProgram(
  program: string,
  args: readonly string[],
  input?: string | Buffer,
): Promise<Outcome> {
  const child = spawn(program, args, { stdio: 'pipe', env: { ...process.env, HOME: '/nonexistent' } });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (data: Buffer) => out.push(data));
  child.stderr.on('data', (data: Buffer) => err.push(data));
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? '');
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return {
    code: code ?? (signal === null ? -1 : 128),
    stdout: Buffer.concat(out).toString(),
    stderr: Buffer.concat(err).toString(),
  };
}

/** The busybox image of `make run`, made once. */
export async function busyboxArchive(): Promise<string> {
  const archive = join(repository, '.cache/images/busybox.tar');
  if (!existsSync(archive)) await makeBusyboxImage(archive);
  return archive;
}

/** Starts an engine with the busybox image loaded. */
export async function startEngine(
  options: {
    args?: readonly string[];
    images?: readonly string[];
    /** A command that replaces itself by the daemon, whose command line follows. */
    launcher?: readonly string[];
  } = {},
): Promise<Engine> {
  const folder = mkdtempSync('/tmp/slip-');
  // Containers with user namespaces pass through it.
  chmodSync(folder, 0o711);
  const instance = `t${randomBytes(3).toString('hex')}`;
  const socket = join(folder, 's.sock');
  const logFile = join(folder, 'slipwayd.log');
  let child: ChildProcess | undefined;

  const start = async (more: readonly string[] = options.args ?? []): Promise<void> => {
    const output = openSync(logFile, 'a');
    const [program = '', ...args] = [
      ...(options.launcher ?? []),
      join(repository, 'dist/bin/slipwayd'),
      `--instance=${instance}`,
      `--data-root=${join(folder, 'data')}`,
      `--run-root=${join(folder, 'run')}`,
      `--host=unix://${socket}`,
      ...more,
    ];
    const started = spawn(program, args, {
      stdio: ['ignore', output, output],
      detached: true,
      cwd: '/',
    });
    closeSync(output);
    child = started;
    const deadline = Date.now() + 30_000;
    while (!(await pings(socket))) {
      if (started.exitCode !== null || Date.now() > deadline) {
        throw new Error(`slipwayd did not come up:\n${readFileSync(logFile, 'utf8').slice(-3000)}`);
      }
      await delay(20);
    }
    writeFileSync(join(folder, 'slipwayd.pid'), `${started.pid}\n`);
  };

  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };

  const run: Engine['run'] = async (client, args, input) => {
    const [program, base] = programOf(client, socket);
    return await runProgram(program, [...base, ...args], input);
  };
  const ok: Engine['ok'] = async (client, args, input) => {
    const outcome = await run(client, args, input);
    if (outcome.code !== 0) throw new CommandFailed(`${client} ${args.join(' ')}`, outcome);
    return outcome.stdout.trim();
  };

  // Should this process be killed, the runner of all suites takes the engine away.
  const notes = process.env['SLIPWAY_TEST_ENGINES'];
  const note = join(notes ?? folder, `${instance}.json`);
  if (notes !== undefined) mkdirSync(notes, { recursive: true });
  const noted: NotedEngine = {
    instance,
    folder,
    dataRoot: join(folder, 'data'),
    runRoot: join(folder, 'run'),
    socket,
  };
  writeFileSync(note, JSON.stringify(noted));

  const forget = async (): Promise<void> => {
    await execute('rm', ['-rf', '--one-file-system', folder]);
    rmSync(note, { force: true });
  };
  const close = async (): Promise<void> => {
    // With the daemon up, containers end as they should; what is left goes by name.
    if (await pings(socket)) {
      const all = await ok('docker', ['ps', '-aq']);
      if (all !== '') await run('docker', ['rm', '-f', '-v', ...all.split('\n')]);
    }
    await kill();
    await execute(process.execPath, [join(repository, 'scripts/clean.ts')], {
      env: {
        ...process.env,
        INSTANCE: instance,
        DATA_ROOT: join(folder, 'data'),
        RUN_ROOT: join(folder, 'run'),
        SOCKET: socket,
      },
    });
    await forget();
  };

  const engine: Engine = {
    socket,
    folder,
    instance,
    pid: () => child?.pid ?? 0,
    run,
    ok,
    background: (client, args) => {
      const [program, base] = programOf(client, socket);
      return spawn(program, [...base, ...args], { stdio: 'pipe' });
    },
    kill,
    start,
    close,
    log: () => readFileSync(logFile, 'utf8'),
  };
  try {
    await start();
    for (const image of [await busyboxArchive(), ...(options.images ?? [])]) {
      await ok('docker', ['load', '-i', image]);
    }
  } catch (error) {
    // What never came up may have made too little to be known as an engine's.
    await close().catch(forget);
    throw error;
  }
  return engine;
}

/** Asks again until `check` gives something other than undefined; for what the kernel or a server does in its own time. */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | undefined>,
  timeoutMs = 15_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`did not happen in time: ${what}`);
    await delay(25);
  }
}
