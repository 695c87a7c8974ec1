/** What is measured, each the same way on either engine. Times in milliseconds. */

import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Engine } from './engines.ts';
import type { HttpClient } from './http.ts';

const run = promisify(execFile);
const api = '/v1.41';

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

/** How far apart the middle half of the values lies, as a part of their median. */
export function spread(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.round((sorted.length - 1) * part)] ?? Number.NaN;
  return (at(0.75) - at(0.25)) / median(values);
}

interface Created {
  readonly Id: string;
}

async function create(http: HttpClient, command: readonly string[], options: object = {}): Promise<string> {
  const body = JSON.stringify({ Image: 'busybox:latest', Cmd: command, ...options });
  const answer = await http.request('POST', `${api}/containers/create`, body);
  return (JSON.parse(answer.body) as Created).Id;
}

/** Create, start, wait, remove of busybox `true` on the default bridge; `options`: more of the body of create. */
export async function wholePath(http: HttpClient, options: object = {}): Promise<void> {
  const id = await create(http, ['true'], options);
  await http.request('POST', `${api}/containers/${id}/start`);
  const waited = await http.request('POST', `${api}/containers/${id}/wait`);
  if (!/"StatusCode":\s*0\b/.test(waited.body)) throw new Error(`true ended with ${waited.body}`);
  await http.request('DELETE', `${api}/containers/${id}`);
}

export async function timed(task: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await task();
  return performance.now() - start;
}

/** One start path after another, with a pause between them if one is given. */
export async function startPath(engine: Engine, rounds: number, pauseMs: number): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    if (pauseMs > 0) await delay(pauseMs);
    times.push(await timed(async () => await wholePath(engine.http)));
  }
  return times;
}

/** Starts a second with `lanes` clients at once, each doing `rounds` whole paths. */
export async function burst(engine: Engine, lanes: number, rounds: number): Promise<number> {
  const clients = Array.from({ length: lanes }, () => engine.newClient());
  const lane = async (client: HttpClient): Promise<void> => {
    for (let round = 0; round < rounds; round++) await wholePath(client);
  };
  const elapsed = await timed(async () => await Promise.all(clients.map(lane)));
  for (const client of clients) client.close();
  return (lanes * rounds * 1000) / elapsed;
}

/** A command of the engine's own client, from its start to its end. */
export async function command(engine: Engine, args: readonly string[], rounds: number): Promise<number[]> {
  const [program = '', ...address] = engine.cli;
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    times.push(await timed(async () => await run(program, [...address, ...args])));
  }
  return times;
}

/** Starts `count` containers that do nothing. */
export async function idleContainers(
  engine: Engine,
  count: number,
): Promise<{ readonly ids: readonly string[]; readonly remove: () => Promise<void> }> {
  const ids: string[] = [];
  for (let index = 0; index < count; index++) {
    const id = await create(engine.http, ['sleep', '1000000']);
    ids.push(id);
    await engine.http.request('POST', `${api}/containers/${id}/start`);
  }
  const remove = async (): Promise<void> => {
    for (const id of ids) await engine.http.request('DELETE', `${api}/containers/${id}?force=1`);
  };
  return { ids, remove };
}

/** Resident kilobytes of the engine's processes by their name. */
export function residentByName(engine: Engine): Map<string, number> {
  const sums = new Map<string, number>();
  for (const each of engine.processes()) sums.set(each.name, (sums.get(each.name) ?? 0) + each.rssKb);
  return sums;
}

export function residentTotal(engine: Engine): number {
  return engine.processes().reduce((total, each) => total + each.rssKb, 0);
}
