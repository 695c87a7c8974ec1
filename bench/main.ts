/**
 * Measures slipwayd beside Debian's dockerd and prints ratios: `bench/main.ts [--quick] [--only=SUBSTRING]`.
 * Both engines run at the same time and take turns, so that noise of the machine hits both. Needs root and a build.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { judge, renderTable, type Row } from './bars.ts';
import { startEngine, type Engine } from './engines.ts';
import { containerRows } from './containers.ts';
import { listImages, loadImage, makeImage, manyImages, pingWhileLoading, type ImageShape } from './images.ts';
import { floodLog, type FloodResult, followLog, makeFlood, startFlood } from './logs.ts';
import { lookupRows, manyNetworks, roomRows } from './networks.ts';
import {
  burst,
  command,
  idleContainers,
  median,
  residentByName,
  residentTotal,
  startPath,
} from './measures.ts';

const quick = process.argv.includes('--quick');
const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice('--only='.length);
const wanted = (what: string): boolean => only === undefined || what.includes(only);
const note = (text: string): void => void process.stderr.write(`${text}\n`);

interface Pair {
  readonly slipway: Engine;
  readonly dockerd: Engine;
}

type Sampler = (engine: Engine) => Promise<number[]>;

/** Turns between the engines; ours runs more rounds in each, being quicker, so that both medians stand on enough. */
async function compare(pair: Pair, turns: number, ours: Sampler, theirs: Sampler): Promise<[number, number]> {
  const samples: [number[], number[]] = [[], []];
  for (let turn = 0; turn < turns; turn++) {
    samples[0].push(...(await ours(pair.slipway)));
    samples[1].push(...(await theirs(pair.dockerd)));
  }
  return [median(samples[0]), median(samples[1])];
}

const turns = quick ? 2 : 6;

async function measureStarts(pair: Pair): Promise<Row[]> {
  const rows: Row[] = [];
  const pauses = [
    { what: 'create+start+wait+remove, back to back', pause: 0, rounds: [20, 5] },
    { what: 'create+start+wait+remove, pauses of 300 ms', pause: 300, rounds: [8, 5] },
  ] as const;
  for (const { what, pause, rounds } of pauses) {
    if (!wanted(what)) continue;
    note(what);
    const sample =
      (count: number): Sampler =>
      async (engine) =>
        await startPath(engine, count, pause);
    const [slipway, dockerd] = await compare(pair, turns, sample(rounds[0]), sample(rounds[1]));
    rows.push({ what, unit: 'ms', slipway, dockerd, bar: { of: 'ratio', most: 1 / 12 } });
  }
  return rows;
}

async function measureBurst(pair: Pair): Promise<Row[]> {
  const what = '10 at once';
  if (!wanted(what)) return [];
  note(what);
  const sample =
    (rounds: number): Sampler =>
    async (engine) => [await burst(engine, 10, rounds)];
  const [slipway, dockerd] = await compare(pair, quick ? 1 : 3, sample(10), sample(2));
  return [{ what, unit: 'starts/s', slipway, dockerd, bar: { of: 'ratio', least: 15 } }];
}

async function measureCommands(pair: Pair): Promise<Row[]> {
  const rows: Row[] = [];
  const commands = [
    { what: 'run --rm busybox true, as a command', args: ['run', '--rm', 'busybox', 'true'], most: 1 / 6 },
    { what: 'ps, as a command', args: ['ps'], most: 1.5 },
  ];
  for (const { what, args, most } of commands) {
    if (!wanted(what)) continue;
    note(what);
    const sample =
      (rounds: number): Sampler =>
      async (engine) =>
        await command(engine, args, rounds);
    const [slipway, dockerd] = await compare(pair, turns, sample(5), sample(args[0] === 'ps' ? 5 : 3));
    rows.push({ what, unit: 'ms', slipway, dockerd, bar: { of: 'ratio', most } });
  }
  return rows;
}

/** Before anything else has run: what an engine costs that only waits. */
async function measureIdle(pair: Pair): Promise<Row[]> {
  if (!wanted('resident')) return [];
  note('resident memory, idle');
  await delay(quick ? 3000 : 15_000);
  const ours = residentByName(pair.slipway);
  const theirs = residentByName(pair.dockerd);
  const mb = (kb: number | undefined): number => (kb ?? Number.NaN) / 1024;
  return [
    {
      what: 'resident: slipwayd / dockerd + containerd, idle',
      unit: 'MB',
      slipway: mb(ours.get('slipwayd')),
      dockerd: mb((theirs.get('dockerd') ?? 0) + (theirs.get('containerd') ?? 0)),
      bar: { of: 'value', most: 110 },
    },
    {
      what: 'resident: slipway-net, idle',
      unit: 'MB',
      slipway: mb(ours.get('slipway-net')),
      dockerd: undefined,
      bar: { of: 'value', most: 60 },
    },
  ];
}

async function costOfIdle(engine: Engine, count: number): Promise<number> {
  const before = residentTotal(engine);
  const { remove } = await idleContainers(engine, count);
  await delay(2000);
  const cost = (residentTotal(engine) - before) / 1024 / count;
  await remove();
  return cost;
}

async function measureContainers(pair: Pair): Promise<Row[]> {
  const what = 'resident: engine processes for each of 200 idle containers';
  if (!wanted(what)) return [];
  note(what);
  const slipway = await costOfIdle(pair.slipway, quick ? 20 : 200);
  const dockerd = await costOfIdle(pair.dockerd, quick ? 5 : 20);
  return [{ what, unit: 'MB', slipway, dockerd, bar: { of: 'value', most: 2 } }];
}

const shapes: readonly ImageShape[] = [
  { name: 'bench-big', layers: 8, layerBytes: 75_000_000, fileBytes: 100_000 },
  { name: 'bench-layers', layers: 60, layerBytes: 200_000, fileBytes: 10_000 },
];

async function measureLoads(pair: Pair): Promise<Row[]> {
  const rows: Row[] = [];
  for (const shape of shapes) {
    const size = Math.round((shape.layers * shape.layerBytes) / 1e6);
    const what = `load of an image of ${shape.layers} layers, ${size} MB`;
    if (!wanted(what)) continue;
    note(what);
    const path = join(import.meta.dirname, `../.cache/bench/${shape.name}.tar`);
    await makeImage(path, shape);
    const sample: Sampler = async (engine) => await loadImage(engine, path, shape, 1);
    const [slipway, dockerd] = await compare(pair, quick ? 1 : 3, sample, sample);
    rows.push({ what, unit: 'ms', slipway, dockerd, bar: { of: 'ratio', most: 1 / 1.5 } });
    if (shape !== shapes[0]) continue;
    const ping = await pingWhileLoading(pair.slipway, path, shape);
    rows.push({
      what: '/_ping during that load, 99th percentile',
      unit: 'ms',
      slipway: ping,
      dockerd: await pingWhileLoading(pair.dockerd, path, shape),
      bar: { of: 'value', most: 20 },
    });
  }
  return rows;
}

async function measureList(pair: Pair): Promise<Row[]> {
  const what = 'list of 500 images';
  if (!wanted(what)) return [];
  note(what);
  const removes = [await manyImages(pair.slipway, 500), await manyImages(pair.dockerd, 500)];
  const sample: Sampler = async (engine) => await listImages(engine, 10);
  const [slipway, dockerd] = await compare(pair, turns, sample, sample);
  for (const remove of removes) await remove();
  return [{ what, unit: 'ms', slipway, dockerd, bar: { of: 'ratio', most: 1 / 5 } }];
}

async function measureNetworks(pair: Pair): Promise<Row[]> {
  const rows: Row[] = [];
  const count = quick ? 30 : 500;
  const what = `network: ${count} networks created and removed, for each`;
  if (wanted(what)) {
    note(what);
    const slipway = await manyNetworks(pair.slipway, count);
    const dockerd = await manyNetworks(pair.dockerd, count);
    rows.push({ what, unit: 'ms', slipway, dockerd, bar: { of: 'ratio', most: 1 / 5 } });
  }
  const names = 'network: names answered';
  if (wanted(names)) {
    note(names);
    rows.push(...(await lookupRows(pair, quick)));
  }
  if (wanted('network')) rows.push(...(await roomRows(quick)));
  return rows;
}

/** The first start of an engine that has just been started: as it is, and with the page cache dropped before. */
async function measureFirst(folder: string, drop: boolean): Promise<Row[]> {
  const what = `create+start+wait+remove, first of a new engine${drop ? ', page cache dropped' : ''}`;
  if (!wanted(what)) return [];
  note(what);
  const first = async (name: Engine['name']): Promise<number> => {
    const times: number[] = [];
    for (let round = 0; round < (quick ? 2 : 5); round++) {
      const engine = await startEngine(name, folder);
      try {
        if (drop) writeFileSync('/proc/sys/vm/drop_caches', '1');
        times.push(...(await startPath(engine, 1, 0)));
      } finally {
        await engine.stop();
      }
    }
    return median(times);
  };
  const row = { slipway: await first('slipway'), dockerd: await first('dockerd') };
  return [{ what, unit: 'ms', ...row, bar: { of: 'ratio', most: 1 / 12 } }];
}

/** The whole path of other containers while one fills its log as fast as it can. */
async function measureBesideFlood(pair: Pair): Promise<Row[]> {
  const what = 'log: create+start+wait+remove beside a container that floods its log';
  if (!wanted(what)) return [];
  note(what);
  const sample =
    (rounds: number): Sampler =>
    async (engine) => {
      const stop = await startFlood(engine);
      try {
        return await startPath(engine, rounds, 0);
      } finally {
        await stop();
      }
    };
  const [slipway, dockerd] = await compare(pair, quick ? 1 : 3, sample(20), sample(3));
  return [{ what, unit: 'ms', slipway, dockerd, bar: { of: 'ratio', most: 1 / 3 } }];
}

async function measureLogs(pair: Pair, folder: string): Promise<Row[]> {
  const rows: Row[] = [];
  const megabytes = quick ? 100 : 1000;
  const measures = [
    { what: 'log: 100-byte lines written at full speed', measure: floodLog },
    { what: `log: ${megabytes} MB followed while they are written`, measure: followLog },
  ].filter(({ what }) => wanted(what));
  if (measures.length === 0) return [];
  const flood = { folder: makeFlood(folder, megabytes), megabytes };
  for (const { what, measure } of measures) {
    note(what);
    const results: [FloodResult[], FloodResult[]] = [[], []];
    for (let turn = 0; turn < (quick ? 2 : 1); turn++) {
      results[0].push(await measure(pair.slipway, flood));
      results[1].push(await measure(pair.dockerd, flood));
    }
    const [slipway, dockerd] = results.map((each) => median(each.map(({ rate }) => rate)));
    const [ourPeak, theirPeak] = results.map((each) => Math.max(...each.map(({ peak }) => peak)));
    rows.push(
      { what, unit: 'MB/s', slipway: slipway ?? Number.NaN, dockerd, bar: { of: 'ratio', least: 3 } },
      {
        what: `${what}: most memory of the engine`,
        unit: 'MB',
        slipway: ourPeak ?? Number.NaN,
        dockerd: theirPeak,
        bar: { of: 'value', most: 250 },
      },
    );
  }
  return rows;
}

async function measureAll(folder: string): Promise<Row[]> {
  const cold = [...(await measureFirst(folder, false)), ...(await measureFirst(folder, true))];
  const slipway = await startEngine('slipway', folder);
  try {
    const dockerd = await startEngine('dockerd', folder);
    try {
      const pair: Pair = { slipway, dockerd };
      const idle = await measureIdle(pair);
      await compare(
        pair,
        1,
        async (engine) => await startPath(engine, 5, 0),
        async (engine) => await startPath(engine, 2, 0),
      );
      const starts = await measureStarts(pair);
      const rest = [
        ...(await measureBurst(pair)),
        ...(await measureCommands(pair)),
        ...(await measureContainers(pair)),
        ...(await measureNetworks(pair)),
        ...(await measureLoads(pair)),
        ...(await measureList(pair)),
        ...(await containerRows(pair, { quick, wanted })),
        ...(await measureLogs(pair, folder)),
        ...(await measureBesideFlood(pair)),
      ];
      return [...starts, ...cold, ...rest, ...idle];
    } finally {
      await dockerd.stop();
    }
  } finally {
    await slipway.stop();
  }
}

const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
try {
  const verdicts = (await measureAll(folder)).map(judge);
  const target = join(import.meta.dirname, '../.cache/bench');
  mkdirSync(target, { recursive: true });
  const machine = { kernel: release(), cpus: cpus().length, cpu: cpus()[0]?.model };
  const result = { date: new Date().toISOString(), machine, quick, rows: verdicts };
  writeFileSync(join(target, 'result.json'), `${JSON.stringify(result, undefined, 2)}\n`);
  process.stdout.write(`${renderTable(verdicts)}\n\nalso as JSON in .cache/bench/result.json\n`);
  if (verdicts.some((verdict) => verdict.holds === false)) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
