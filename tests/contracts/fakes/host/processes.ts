/** Processes of a fake kernel. What a program does is a function; `true`, `false` and `sleep` are there from the start. */

import type { Host, ProcessStat, SpawnOptions } from '../../../../src/core/ports/host.ts';
import type { DescriptorTable } from './descriptors.ts';
import { kernelFailure } from './errors.ts';

/** Resolves with the exit code; `killed` resolves with the number of the signal that ends the process. */
export type FakeProgram = (options: SpawnOptions, killed: Promise<number>) => Promise<number>;

interface FakeProcess {
  readonly stat: ProcessStat;
  readonly exited: Promise<number>;
  readonly kill: (signal: number) => void;
  alive: boolean;
}

export interface FakeProcesses {
  spawn(options: SpawnOptions): number;
  wait(pid: number): Promise<number>;
  alive(pid: number): boolean;
  signal(pid: number, signal: number): boolean;
  stat(pid: number): ProcessStat | undefined;
}

const untilKilled: FakeProgram = async (_options, killed) => 128 + (await killed);

const usual: Readonly<Record<string, FakeProgram>> = {
  '/bin/true': () => Promise.resolve(0),
  '/bin/false': () => Promise.resolve(1),
  '/bin/sleep': untilKilled,
};

/** Far above what the real kernel hands out here. */
const firstPid = 5_000_000;

export function createFakeProcesses(programs: Readonly<Record<string, FakeProgram>>): FakeProcesses {
  const known = { ...usual, ...programs };
  const running = new Map<number, FakeProcess>();
  let next = firstPid;

  const start = (options: SpawnOptions): number => {
    const program = known[options.path];
    if (program === undefined) throw kernelFailure('posix_spawn', 'ENOENT', options.path);
    const pid = next++;
    const killed = Promise.withResolvers<number>();
    const entry: FakeProcess = {
      stat: {
        pid,
        ppid: process.pid,
        startTicks: String(pid),
        state: 'S',
        command: options.args[0] ?? '',
      },
      exited: Promise.race([
        program(options, killed.promise),
        killed.promise.then((signal) => 128 + signal),
      ]).then((code) => {
        entry.alive = false;
        return code;
      }),
      kill: killed.resolve,
      alive: true,
    };
    running.set(pid, entry);
    return pid;
  };

  return {
    spawn: start,
    async wait(pid) {
      const entry = running.get(pid);
      if (entry === undefined) return -1;
      const code = await entry.exited;
      running.delete(pid);
      return code;
    },
    alive: (pid) => running.get(pid)?.alive === true,
    signal(pid, signal) {
      const entry = running.get(pid);
      if (entry?.alive !== true) return false;
      if (signal !== 0) entry.kill(signal);
      return true;
    },
    stat: (pid) => running.get(pid)?.stat,
  };
}

/** The Host's calls about processes. */
export function fakeProcessCalls(
  processes: FakeProcesses,
  descriptors: DescriptorTable,
): Pick<Host, 'spawn' | 'waitChild' | 'openPidfd' | 'signalPidfd' | 'processStat'> {
  return {
    async spawn(request) {
      const pid = processes.spawn(request);
      return { pid, pidfd: descriptors.open({ kind: 'pidfd', pid }) };
    },
    waitChild: (pid) => processes.wait(pid),
    openPidfd(pid, startTicks) {
      const stat = processes.stat(pid);
      if (stat === undefined || !processes.alive(pid)) return -1;
      if (startTicks !== undefined && stat.startTicks !== startTicks) return -1;
      return descriptors.open({ kind: 'pidfd', pid });
    },
    signalPidfd(pidfd, signal) {
      const entry = descriptors.get(pidfd);
      if (entry.kind !== 'pidfd') throw kernelFailure('pidfd_send_signal', 'EBADF', String(pidfd));
      return processes.signal(entry.pid, signal);
    },
    processStat: (pid) => processes.stat(pid),
  };
}
