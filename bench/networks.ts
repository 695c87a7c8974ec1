/** Networks of either engine: making and removing them, and how fast names are answered; and our network room alone. */

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Row } from './bars.ts';
import type { Engine } from './engines.ts';
import { median } from './measures.ts';

const run = promisify(execFile);
const api = '/v1.41';
const folder = import.meta.dirname;

/** Subnets are given: dockerd's own pools hold thirty networks. Milliseconds for each network, made and removed. */
export async function manyNetworks({ http }: Engine, count: number): Promise<number> {
  const start = performance.now();
  const ids: string[] = [];
  for (let at = 0; at < count; at++) {
    const config = [{ Subnet: `10.${64 + (at >> 8)}.${at & 255}.0/24` }];
    const body = JSON.stringify({ Name: `bench${at}`, IPAM: { Config: config } });
    const answer = await http.request('POST', `${api}/networks/create`, body);
    if (answer.status !== 201) throw new Error(`network ${at}: ${answer.body}`);
    ids.push((JSON.parse(answer.body) as { Id: string }).Id);
  }
  for (const id of ids) {
    const answer = await http.request('DELETE', `${api}/networks/${id}`);
    if (answer.status !== 204) throw new Error(`network ${id}: ${answer.body}`);
  }
  return (performance.now() - start) / count;
}

async function loadProgram(): Promise<string> {
  const source = join(folder, 'network/dns-load.c');
  const target = join(folder, '../.cache/bench/dns-load');
  mkdirSync(join(target, '..'), { recursive: true });
  if (!existsSync(target) || statSync(target).mtimeMs < statSync(source).mtimeMs)
    await run('gcc', ['-O2', '-Wall', '-o', target, source]);
  return target;
}

/** Containers on one user-defined network; the answer removes them. */
export async function namedContainers({ http, hostPid }: Engine, count: number) {
  await http.request('POST', `${api}/networks/create`, JSON.stringify({ Name: 'named' }));
  const ids: string[] = [];
  const namespaces: string[] = [];
  for (let at = 0; at < count; at++) {
    const body = JSON.stringify({
      Image: 'busybox:latest',
      Cmd: ['sleep', '3600'],
      HostConfig: { NetworkMode: 'named' },
    });
    const created = await http.request('POST', `${api}/containers/create?name=named${at}`, body);
    const { Id } = JSON.parse(created.body) as { Id: string };
    ids.push(Id);
    await http.request('POST', `${api}/containers/${Id}/start`);
    const inspected = await http.request('GET', `${api}/containers/${Id}/json`);
    const { State } = JSON.parse(inspected.body) as { State: { Pid: number } };
    namespaces.push(`/proc/${hostPid(State.Pid)}/ns/net`);
  }
  const remove = async (): Promise<void> => {
    for (const id of ids) await http.request('DELETE', `${api}/containers/${id}?force=1`);
    await http.request('DELETE', `${api}/networks/named`);
  };
  return { namespaces, remove };
}

export interface Lookups {
  /** Answered queries a second. */
  readonly rate: number;
  /** Answered queries for each second of processor time that the engine took. */
  readonly perCpuSecond: number;
}

/** Asked from all those namespaces together. */
export async function lookups(
  engine: Engine,
  namespaces: readonly string[],
  seconds: number,
): Promise<Lookups> {
  const program = await loadProgram();
  const cpu = (): number => engine.processes().reduce((total, { cpuSeconds }) => total + cpuSeconds, 0);
  const before = cpu();
  const { stdout } = await run(program, [String(seconds), '64', 'named0', ...namespaces]);
  const rate = Number(stdout.split(' ')[0]);
  return { rate, perCpuSecond: (rate * seconds) / (cpu() - before) };
}

/** Of either engine: the load program shares the processors with it, so both what came back and what it cost are told. */
export async function lookupRows(
  { slipway, dockerd }: { readonly slipway: Engine; readonly dockerd: Engine },
  quick: boolean,
): Promise<Row[]> {
  // As many containers as it takes for the limit of each to stay out of it.
  const engines = [slipway, dockerd];
  const named = [];
  for (const engine of engines) named.push(await namedContainers(engine, 40));
  const samples: Lookups[][] = [[], []];
  for (let turn = 0; turn < (quick ? 2 : 5); turn++)
    for (const [at, engine] of engines.entries())
      samples[at]?.push(await lookups(engine, named[at]?.namespaces ?? [], quick ? 1 : 2));
  for (const { remove } of named) await remove();
  const middle = (at: number, of: (each: Lookups) => number): number => median(samples[at]?.map(of) ?? []);
  const rates = { slipway: middle(0, ({ rate }) => rate), dockerd: middle(1, ({ rate }) => rate) };
  const what = 'network: names answered';
  const unit = 'queries/s';
  return [
    { what, unit, ...rates, bar: { of: 'value', least: 50_000 } },
    { what: `${what}, beside dockerd`, unit, ...rates, bar: { of: 'ratio', least: 3 } },
    {
      what: `${what} for each second of the engine's processor time`,
      unit,
      slipway: middle(0, ({ perCpuSecond }) => perCpuSecond),
      dockerd: middle(1, ({ perCpuSecond }) => perCpuSecond),
      bar: { of: 'ratio', least: 3 },
    },
  ];
}

/** Our network room alone, on the real kernel. */
export async function roomRows(quick: boolean): Promise<Row[]> {
  const args = ['--net', '--mount', process.execPath, join(folder, 'network/inside.ts')];
  const { stdout } = await run('unshare', quick ? [...args, '--quick'] : args, { maxBuffer: 1 << 20 });
  const measured = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Record<string, number>;
  const value = (name: string): number => measured[name] ?? Number.NaN;
  const none = { dockerd: undefined };
  const runs = `half of the runs within ${Math.round(value('throughputSpread') * 100)}%`;
  return [
    {
      what: 'network: attach on a user-defined network with 3 ports',
      unit: 'ms',
      slipway: value('attach'),
      ...none,
      bar: { of: 'value', most: 3 },
    },
    {
      what: 'network: one more port beside 10,000',
      unit: 'ms',
      slipway: value('add10000'),
      ...none,
      bar: { of: 'value', most: 1 },
    },
    {
      what: 'network: connection with 10,000 ports, to one with 10',
      unit: 'times',
      slipway: value('connect10000') / value('connect10'),
      ...none,
      bar: { of: 'value', most: 1.3 },
    },
    {
      what: `network: container to container, to a bridge made by hand (${runs})`,
      unit: 'times',
      slipway: value('containers') / value('handBridge'),
      ...none,
      bar: { of: 'value', least: 0.97 },
    },
    {
      what: `network: host to container, to a bridge made by hand (${runs})`,
      unit: 'times',
      slipway: value('fromHost') / value('hostHandBridge'),
      ...none,
      bar: { of: 'value', least: 0.97 },
    },
    {
      what: `network: host to container, to a pair made by hand, without a bridge (${runs})`,
      unit: 'times',
      slipway: value('fromHost') / value('handPair'),
      ...none,
      bar: { of: 'value', least: 0.97 },
    },
  ];
}
