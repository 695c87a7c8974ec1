/** The programs that the fake runtime knows: enough for tests of the services and for the contract suite. */
import type { Readable } from 'node:stream';

export interface FakeProcess {
  readonly args: readonly string[];
  readonly stdin: Readable;
  readonly exited: Promise<number>;
  write(stream: 'stdout' | 'stderr', text: string): void;
  exit(code: number): void;
  /** Called for every signal but SIGKILL; without it the first process of a container ignores them, as in a pid namespace. */
  onSignal(handler: (signal: number) => void): void;
}

export type FakeProgram = (process: FakeProcess) => void | Promise<void>;

const signalNumbers: Readonly<Record<string, number>> = { HUP: 1, INT: 2, QUIT: 3, USR1: 10, TERM: 15 };

async function copyStdin(process: FakeProcess): Promise<void> {
  for await (const chunk of process.stdin) process.write('stdout', String(chunk));
}

async function sleep(process: FakeProcess, seconds: string | undefined): Promise<void> {
  const wait = seconds === 'infinity' ? 2_000_000 : Number(seconds ?? 0) * 1000;
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise((resolve) => {
    timer = setTimeout(resolve, wait);
    // Who sleeps for longer than any test does not keep the test's process.
    if (wait > 10_000) timer.unref();
  });
  await Promise.race([elapsed, process.exited]);
  clearTimeout(timer);
}

/**
 * The shell: statements between semicolons, each one of `echo WORDS [>&2]`, `exit N`, `sleep N`, `cat`, `true`, `false`,
 * `trap 'exit N' SIGNAL` or `trap '' SIGNAL`. Anything else prints `not found` and goes on with 127, as sh does.
 */
async function shell(process: FakeProcess): Promise<void> {
  const script = process.args[1] === '-c' ? (process.args[2] ?? '') : '';
  const traps = new Map<number, number | undefined>();
  let status = 0;
  for (const raw of script.split(';')) {
    const statement = raw.trim();
    const trap = /^trap '(?:exit (\d+))?' (\w+)$/.exec(statement);
    if (trap) {
      traps.set(signalNumbers[trap[2] ?? ''] ?? 15, trap[1] === undefined ? undefined : Number(trap[1]));
      process.onSignal((signal) => {
        const code = traps.get(signal);
        if (code !== undefined) process.exit(code);
      });
      continue;
    }
    const [word = '', ...rest] = statement.split(/\s+/);
    if (word === 'exit') return process.exit(Number(rest[0] ?? status));
    if (word === 'echo') {
      const toStderr = rest.at(-1) === '>&2';
      const words = toStderr ? rest.slice(0, -1) : rest;
      process.write(toStderr ? 'stderr' : 'stdout', `${words.join(' ')}\n`);
      status = 0;
    } else if (word === 'sleep') await sleep(process, rest[0]);
    else if (word === 'cat') await copyStdin(process);
    else if (word === 'true' || word === ':') status = 0;
    else if (word === 'false') status = 1;
    else if (word !== '') {
      process.write('stderr', `sh: ${word}: not found\n`);
      status = 127;
    }
  }
  process.exit(status);
}

/** By absolute path; the fake also finds them by their bare name. */
export const standardPrograms: Readonly<Record<string, FakeProgram>> = {
  '/bin/true': (process) => process.exit(0),
  '/bin/false': (process) => process.exit(1),
  '/bin/echo': (process) => {
    process.write('stdout', `${process.args.slice(1).join(' ')}\n`);
    process.exit(0);
  },
  '/bin/cat': async (process) => {
    await copyStdin(process);
    process.exit(0);
  },
  '/bin/sleep': async (process) => {
    await sleep(process, process.args[1]);
    process.exit(0);
  },
  '/bin/sh': shell,
};
