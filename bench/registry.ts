/**
 * Pull and push beside Debian's dockerd, from one docker-registry on the loopback device that both share:
 * `bench/registry.ts [--quick] [--store=FOLDER]`. The engines take turns. Needs root and a build; writes some gigabytes below the temporary folder.
 */

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRegistry } from '../tests/helpers/images/registry.ts';
import { startDockerd } from '../tests/peers/dockerd.ts';
import type { Peer } from '../tests/peers/process.ts';
import { startSlipwayd } from '../tests/peers/slipwayd.ts';
import { judge, renderTable, type Row } from './bars.ts';
import { HttpClient } from './http.ts';
import { median } from './measures.ts';
import { percentile, watchPings } from './pings.ts';
import { writeImage, type Shape } from './registry-images.ts';

const quick = process.argv.includes('--quick');
/** A registry's folder that is kept between runs. */
const given = process.argv.find((argument) => argument.startsWith('--store='))?.slice('--store='.length);
const rounds = quick ? 1 : 3;
const note = (text: string): void => void process.stderr.write(`${text}\n`);
const api = '/v1.41';

const shapes: readonly (Shape & { readonly what: string })[] = [
  {
    what: '8 layers, 600 MB',
    repository: 'bench/large',
    layers: 8,
    layerSize: 75_000_000,
    fileSize: 400_000,
  },
  { what: '60 small layers', repository: 'bench/small', layers: 60, layerSize: 200_000, fileSize: 20_000 },
];

interface Engine {
  readonly peer: Peer;
  readonly http: HttpClient;
}

/** An error in a stream of progress is no status: it must not count as a quick pull. */
function check(body: string): void {
  const error = /"error":\s*"([^"]*)"/.exec(body)?.[1];
  if (error !== undefined) throw new Error(error);
}

async function pull({ http }: Engine, image: string): Promise<number> {
  const start = performance.now();
  check(
    (await http.request('POST', `${api}/images/create?fromImage=${encodeURIComponent(image)}&tag=latest`))
      .body,
  );
  return performance.now() - start;
}

/**
 * Each engine has a tag of its own and has pushed it before: dockerd writes a manifest anew, so that an image at a tag that both push is
 * never unchanged.
 */
async function tagOwn({ http }: Engine, image: string, tag: string): Promise<void> {
  const repo = encodeURIComponent(image);
  await http.request('POST', `${api}/images/${image}:latest/tag?repo=${repo}&tag=${tag}`);
  await push({ http }, image, tag);
}

async function push({ http }: Pick<Engine, 'http'>, image: string, tag: string): Promise<number> {
  const start = performance.now();
  check(
    (
      await http.request('POST', `${api}/images/${image}/push?tag=${tag}`, undefined, undefined, {
        'X-Registry-Auth': 'e30=',
      })
    ).body,
  );
  return performance.now() - start;
}

async function remove({ http }: Engine, image: string, own: string): Promise<void> {
  for (const tag of ['latest', own]) await http.request('DELETE', `${api}/images/${image}:${tag}?force=1`);
}

async function measure(ours: Engine, theirs: Engine, host: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { what, repository } of shapes) {
    const image = `${host}/${repository}`;
    note(what);
    const pulls: [number[], number[]] = [[], []];
    const pushes: [number[], number[]] = [[], []];
    const pings: number[] = [];
    const theirPings: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const watch = watchPings(ours.peer.socket);
      pulls[0].push(await pull(ours, image));
      pings.push(...(await watch.stop()));
      const theirWatch = watchPings(theirs.peer.socket);
      pulls[1].push(await pull(theirs, image));
      theirPings.push(...(await theirWatch.stop()));
      await tagOwn(ours, image, 'slipway');
      await tagOwn(theirs, image, 'dockerd');
      for (let again = 0; again < 5; again++) {
        pushes[0].push(await push(ours, image, 'slipway'));
        pushes[1].push(await push(theirs, image, 'dockerd'));
      }
      await remove(ours, image, 'slipway');
      await remove(theirs, image, 'dockerd');
      note(`  pull ${pulls.map((times) => times.at(-1)?.toFixed(0)).join(' / ')} ms`);
    }
    rows.push(
      {
        what: `pull, ${what}`,
        unit: 'ms',
        slipway: median(pulls[0]),
        dockerd: median(pulls[1]),
        bar: { of: 'ratio', most: 1 / 2 },
      },
      {
        what: `push of the same, unchanged`,
        unit: 'ms',
        slipway: median(pushes[0]),
        dockerd: median(pushes[1]),
        bar: { of: 'ratio', most: 1 / 3 },
      },
      {
        what: `_ping during the pull, 99th percentile`,
        unit: 'ms',
        slipway: percentile(pings, 99),
        dockerd: percentile(theirPings, 99),
        bar: { of: 'value', most: 20 },
      },
    );
  }
  return rows;
}

async function prepare(folder: string): Promise<void> {
  const registry = await startRegistry({ folder, keep: true });
  try {
    for (const shape of shapes) await writeImage(`http://${registry.host}`, shape);
  } finally {
    await registry.stop();
  }
}

async function run(folder: string): Promise<Row[]> {
  const store = given ?? join(folder, 'registry');
  if (!existsSync(join(store, 'store'))) {
    mkdirSync(store, { recursive: true });
    note('writing the images');
    await prepare(store);
  }
  const dockerd = await startDockerd({
    folder: join(folder, 'dockerd'),
    name: `bench-dockerd-${process.pid}`,
    args: ['--bridge=none', '--iptables=false'],
  });
  try {
    const prefix = ['nsenter', `--net=/proc/${dockerd.pid}/ns/net`];
    const registry = await startRegistry({ folder: store, prefix, keep: given !== undefined });
    try {
      const slipwayd = await startSlipwayd({
        folder: join(folder, 'slipway'),
        name: `sr${process.pid}`,
        networkOf: dockerd.pid,
      });
      try {
        const engine = (peer: Peer): Engine => ({ peer, http: new HttpClient(peer.socket) });
        return await measure(engine(slipwayd), engine(dockerd), registry.host);
      } finally {
        await slipwayd.stop();
      }
    } finally {
      await registry.stop();
    }
  } finally {
    await dockerd.stop();
  }
}

const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
try {
  const verdicts = (await run(folder)).map(judge);
  const target = join(import.meta.dirname, '../.cache/bench');
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, 'registry.json'), `${JSON.stringify(verdicts, undefined, 2)}\n`);
  process.stdout.write(`${renderTable(verdicts)}\n`);
  if (verdicts.some((verdict) => verdict.holds === false)) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
