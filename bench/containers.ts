/** What containers cost with many options, many commands, and in great number. Times in milliseconds. */

import { setTimeout as delay } from 'node:timers/promises';
import type { Row } from './bars.ts';
import type { Engine } from './engines.ts';
import type { HttpClient } from './http.ts';
import { idleContainers, median, residentByName, timed, wholePath } from './measures.ts';

const api = '/v1.41';

/** What a careful user asks for: a health check, every usual limit, ten mounts of four kinds. */
const careful = {
  Healthcheck: { Test: ['CMD', 'true'], Interval: 30e9, Timeout: 5e9, Retries: 3 },
  HostConfig: {
    Memory: 128 << 20,
    MemoryReservation: 64 << 20,
    NanoCpus: 1_500_000_000,
    CpuShares: 512,
    PidsLimit: 200,
    Ulimits: [{ Name: 'nofile', Soft: 1024, Hard: 2048 }],
    Binds: [
      '/usr:/mnt/usr:ro',
      '/etc:/mnt/etc:ro',
      '/tmp:/mnt/tmp',
      'bench-one:/data/one',
      'bench-two:/data/two',
      'bench-three:/data/three:ro',
    ],
    Mounts: [
      { Type: 'bind', Source: '/bin', Target: '/mnt/bin', ReadOnly: true },
      { Type: 'volume', Source: 'bench-four', Target: '/data/four' },
      { Type: 'tmpfs', Target: '/scratch', TmpfsOptions: { SizeBytes: 16 << 20 } },
    ],
    Tmpfs: { '/run': 'size=8m' },
  },
};

interface Pair {
  readonly slipway: Engine;
  readonly dockerd: Engine;
}

/** What the engine does for the first time only is no part of either. */
const warmUps = 5;

/**
 * Milliseconds of the plain path and of the one with all that. Each round does both, and who is first changes: work in the background comes
 * after so many containers, and would else always meet the same.
 */
export async function carefulness(
  engine: Engine,
  rounds: number,
): Promise<{ readonly plain: number; readonly rich: number }> {
  const [plain, rich]: [number[], number[]] = [[], []];
  const pathOf = {
    plain: async () => await wholePath(engine.http),
    rich: async () => await wholePath(engine.http, careful),
  };
  for (let round = -warmUps; round < rounds; round++) {
    const order = round % 6 < 3 ? (['plain', 'rich'] as const) : (['rich', 'plain'] as const);
    for (const kind of order) {
      const time = await timed(pathOf[kind]);
      if (round >= 0) (kind === 'plain' ? plain : rich).push(time);
    }
  }
  return { plain: median(plain), rich: median(rich) };
}

export async function removeCarefulVolumes(engine: Engine): Promise<void> {
  for (const name of ['one', 'two', 'three', 'four'])
    await engine.http.request('DELETE', `${api}/volumes/bench-${name}`);
}

/** `exec` of `true` in a running container, from its creation to its exit code. */
export async function execTrue(engine: Engine, rounds: number): Promise<number[]> {
  const { ids, remove } = await idleContainers(engine, 1);
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    times.push(await timed(async () => await execOnce(engine.http, ids[0] ?? '')));
  }
  await remove();
  return times;
}

/** Attached, as a client waits for the end: the answer's body ends with the process. */
async function execOnce(http: HttpClient, container: string): Promise<void> {
  const body = JSON.stringify({ Cmd: ['true'], AttachStdout: true });
  const made = await http.request('POST', `${api}/containers/${container}/exec`, body);
  const { Id } = JSON.parse(made.body) as { Id: string };
  await http.untilClosed('POST', `${api}/exec/${Id}/start`, JSON.stringify({ Detach: false, Tty: false }));
  for (;;) {
    const seen = await http.request('GET', `${api}/exec/${Id}/json`);
    const { ExitCode, Running } = JSON.parse(seen.body) as { ExitCode: number | null; Running: boolean };
    if (!Running && ExitCode === 0) return;
    if (!Running) throw new Error(`exec of true: ${seen.body}`);
  }
}

/** Makes containers that are never started; the returned function removes them. */
export async function madeContainers(engine: Engine, count: number): Promise<() => Promise<void>> {
  const ids: string[] = [];
  for (let index = 0; index < count; index++) {
    const body = JSON.stringify({
      Image: 'busybox:latest',
      Cmd: ['true'],
      Labels: { number: String(index) },
    });
    const made = await engine.http.request('POST', `${api}/containers/create`, body);
    ids.push((JSON.parse(made.body) as { Id: string }).Id);
  }
  return async () => {
    for (const id of ids) await engine.http.request('DELETE', `${api}/containers/${id}`);
  };
}

/** Answers a second to one client that asks for the list of all containers again and again. */
export async function listRate(engine: Engine, rounds: number): Promise<number> {
  const elapsed = await timed(async () => {
    for (let round = 0; round < rounds; round++)
      await engine.http.request('GET', `${api}/containers/json?all=1`);
  });
  return (rounds * 1000) / elapsed;
}

/** The engine with `stopped` containers and `running` ones: memory of its daemon, and how long `/_ping` takes meanwhile. */
export async function crowd(engine: Engine, stopped: number, running: number): Promise<readonly Row[]> {
  const removeMade = await madeContainers(engine, stopped);
  const { remove } = await idleContainers(engine, running);
  const client = engine.newClient();
  const pings: number[] = [];
  const deadline = performance.now() + 5000;
  while (performance.now() < deadline) {
    pings.push(await timed(async () => await client.request('GET', '/_ping')));
    await delay(5);
  }
  client.close();
  const daemon = (residentByName(engine).get('slipwayd') ?? Number.NaN) / 1024;
  await remove();
  await removeMade();
  const p99 = pings.toSorted((a, b) => a - b)[Math.floor(pings.length * 0.99)] ?? Number.NaN;
  const what = `crowd: ${stopped} stopped and ${running} running containers`;
  return [
    {
      what: `${what}, daemon`,
      unit: 'MB',
      slipway: daemon,
      dockerd: undefined,
      bar: { of: 'value', most: 250 },
    },
    {
      what: `${what}, /_ping at p99`,
      unit: 'ms',
      slipway: p99,
      dockerd: undefined,
      bar: { of: 'value', most: 20 },
    },
  ];
}

/** All of the above that `wanted` asks for. */
export async function containerRows(
  pair: Pair,
  options: { readonly quick: boolean; readonly wanted: (what: string) => boolean },
): Promise<readonly Row[]> {
  const { quick, wanted } = options;
  const rows: Row[] = [];
  const rounds = quick ? 20 : 100;
  const what = 'options: start path with health check, limits, ten mounts, beside the plain one';
  if (wanted(what)) {
    const slipway = await carefulness(pair.slipway, rounds);
    await removeCarefulVolumes(pair.slipway);
    const dockerd = await carefulness(pair.dockerd, quick ? 3 : 10);
    await removeCarefulVolumes(pair.dockerd);
    rows.push(
      {
        what,
        unit: 'times',
        slipway: slipway.rich / slipway.plain,
        dockerd: dockerd.rich / dockerd.plain,
        bar: { of: 'value', most: 1.1 },
      },
      {
        what: 'options: the same, as it is',
        unit: 'ms',
        slipway: slipway.rich,
        dockerd: dockerd.rich,
        bar: { of: 'ratio', most: 1 / 12 },
      },
    );
  }
  const exec = 'exec of true';
  if (wanted(exec)) {
    const slipway = median(await execTrue(pair.slipway, rounds));
    const dockerd = median(await execTrue(pair.dockerd, quick ? 5 : 20));
    rows.push({ what: exec, unit: 'ms', slipway, dockerd, bar: { of: 'ratio', most: 1 / 4 } });
  }
  const count = quick ? 100 : 1000;
  const list = `list of ${count} containers`;
  if (wanted(list)) {
    const removes = [await madeContainers(pair.slipway, count), await madeContainers(pair.dockerd, count)];
    const rates: [number[], number[]] = [[], []];
    for (let turn = 0; turn < 5; turn++) {
      rates[0].push(await listRate(pair.slipway, 10));
      rates[1].push(await listRate(pair.dockerd, 10));
    }
    for (const remove of removes) await remove();
    const [slipway = Number.NaN, dockerd] = rates.map((each) => median(each));
    rows.push({ what: list, unit: 'queries/s', slipway, dockerd, bar: { of: 'ratio', least: 2 } });
  }
  if (wanted('crowd')) rows.push(...(await crowd(pair.slipway, quick ? 100 : 1000, quick ? 30 : 300)));
  return rows;
}
