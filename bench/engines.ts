/** Both engines under test, side by side, each alone in its namespaces, with the same image and the same client. */

import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeBusyboxImage } from '../scripts/images/busybox.ts';
import { startDockerd } from '../tests/peers/dockerd.ts';
import type { Peer } from '../tests/peers/process.ts';
import { startSlipwayd } from '../tests/peers/slipwayd.ts';
import { HttpClient } from './http.ts';

/** Of /proc/PID/stat (USER_HZ). */
const ticksPerSecond = 100;
const repository = join(import.meta.dirname, '..');

export interface EngineProcess {
  readonly name: string;
  readonly rssKb: number;
  /** Processor time since its start. */
  readonly cpuSeconds: number;
}

export interface Engine {
  readonly name: 'slipway' | 'dockerd';
  /** The command line client with the engine's address. */
  readonly cli: readonly string[];
  readonly http: HttpClient;
  readonly socket: string;
  readonly newClient: () => HttpClient;
  /** What the engine itself runs: daemons, shims; not what runs in its containers. */
  readonly processes: () => EngineProcess[];
  /** The host's number of a process that is the first of its namespace, by its number in the engine's. */
  readonly hostPid: (inner: number) => number;
  readonly stop: () => Promise<void>;
}

function namespaceOf(pid: string | number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

/** The engine's own processes are those of its process namespace: containers have namespaces below it. */
function processesOf(peer: Peer): EngineProcess[] {
  const namespace = namespaceOf(peer.pid);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && namespaceOf(name) === namespace)
    .flatMap((name) => {
      try {
        const status = readFileSync(`/proc/${name}/status`, 'utf8');
        const rssKb = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
        const command = readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0').filter(Boolean);
        const script = command.find((word) => word.endsWith('.js') || word.endsWith('.ts'));
        const label = (script ?? command[0] ?? '').split('/').at(-1) ?? '';
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
        const cpuSeconds = (Number(stat[11]) + Number(stat[12])) / ticksPerSecond;
        return [{ name: label.replace(/\.(js|ts)$/, ''), rssKb, cpuSeconds }];
      } catch {
        return [];
      }
    });
}

function hostPidOf(peer: Peer, inner: number): number {
  const namespace = namespaceOf(peer.pid);
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      const numbers = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/).map(Number) ?? [];
      const parent = /^PPid:\s+(\d+)$/m.exec(status)?.[1] ?? '';
      if (numbers.at(-1) === 1 && numbers.at(-2) === inner && namespaceOf(parent) === namespace)
        return Number(name);
    } catch {
      // It ended meanwhile.
    }
  }
  throw new Error(`no process ${inner} in the engine's namespace`);
}

async function loadBusybox(http: HttpClient): Promise<void> {
  const archive = join(repository, '.cache/images/busybox.tar');
  if (!existsSync(archive)) await makeBusyboxImage(archive);
  await http.request('POST', '/v1.41/images/load?quiet=1', await readFile(archive), 'application/x-tar');
}

async function engineOf(name: Engine['name'], peer: Peer, binary: string): Promise<Engine> {
  const http = new HttpClient(peer.socket);
  await loadBusybox(http);
  return {
    name,
    cli: [binary, '-H', `unix://${peer.socket}`],
    http,
    socket: peer.socket,
    newClient: () => new HttpClient(peer.socket),
    processes: () => processesOf(peer),
    hostPid: (inner) => hostPidOf(peer, inner),
    stop: async () => {
      http.close();
      await peer.stop();
    },
  };
}

/** The docker CLI's path: an installed one, or that of the unpacked package. */
function dockerCli(): string {
  const found = (process.env['PATH'] ?? '').split(':').find((folder) => existsSync(join(folder, 'docker')));
  return found === undefined ? join(repository, '.cache/dockerd/usr/bin/docker') : join(found, 'docker');
}

export async function startEngine(name: Engine['name'], folder: string): Promise<Engine> {
  const options = { folder: join(folder, name), name: `bench-${name}-${process.pid}` };
  if (name === 'dockerd') return await engineOf(name, await startDockerd(options), dockerCli());
  // Interface names have 15 characters at most, and an instance names its bridge.
  const peer = await startSlipwayd({ ...options, name: `sb${process.pid}` });
  return await engineOf(name, peer, join(repository, 'dist/bin/slipway'));
}
