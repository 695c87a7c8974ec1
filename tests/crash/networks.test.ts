// timeout: 300
/** The daemon is killed at random points of creating, removing, joining and leaving networks and of publishing ports; kernel and records agree afterwards. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually, startEngine, type Engine } from '../scenarios/engine.ts';
import { call } from './convergence.ts';

const rounds = 6;
let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(async () => await engine.close());

const host = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8' });

/** A client whose requests the crash cuts off anywhere; refusals (in use, not connected) are part of it. */
async function churn(stop: AbortSignal, worker: number): Promise<void> {
  const own = `net${worker}`;
  const acts: readonly (() => Promise<unknown>)[] = [
    () => call(engine.socket, 'POST', '/networks/create', { Name: own }),
    () => call(engine.socket, 'POST', `/networks/${own}/connect`, { Container: 'stays' }),
    () =>
      call(engine.socket, 'POST', '/slipway/containers/stays/ports', {
        Add: { [`${90 + worker}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: '' }] },
      }),
    () => call(engine.socket, 'POST', `/networks/${own}/disconnect`, { Container: 'stays' }),
    () =>
      call(engine.socket, 'POST', '/slipway/containers/stays/ports', {
        Remove: { [`${90 + worker}/tcp`]: [] },
      }),
    () => call(engine.socket, 'DELETE', `/networks/${own}`),
  ];
  for (let turn = 0; !stop.aborted; turn++) {
    const failed = await acts[turn % acts.length]?.().then(
      () => false,
      () => true,
    );
    if (failed === true) return;
  }
}

interface Inspected {
  readonly State: { readonly Pid: number };
  readonly NetworkSettings: {
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>>;
    readonly Ports: Readonly<Record<string, readonly { readonly HostPort: string }[] | null>>;
  };
}

async function agree(): Promise<void> {
  const { body: list } = await call(engine.socket, 'GET', '/networks');
  const networks = list as readonly { Id: string; Name: string; Driver: string }[];
  const wanted = networks
    .filter(({ Driver }) => Driver === 'bridge')
    .map(({ Id, Name }) => (Name === 'bridge' ? `${engine.instance}0` : `br-${Id.slice(0, 12)}`));
  const links = JSON.parse(host('ip', '-j', '-d', 'link', 'show', 'type', 'bridge')) as {
    ifname: string;
    ifalias?: string;
  }[];
  const ours = links.filter((link) => link.ifalias?.startsWith(`slipway:${engine.instance}:`) === true);
  assert.deepEqual(
    ours.map((link) => link.ifname).toSorted((a, b) => (a < b ? -1 : 1)),
    wanted.toSorted((a, b) => (a < b ? -1 : 1)),
  );
  const { body } = await call(engine.socket, 'GET', '/containers/stays/json');
  const { State, NetworkSettings } = body as Inspected;
  const inside = host('nsenter', '-t', String(State.Pid), '-n', 'ip', '-4', '-o', 'addr');
  const recorded = Object.values(NetworkSettings.Networks).map((endpoint) => endpoint.IPAddress);
  const present = [...inside.matchAll(/inet (\S+)\//g)].map((match) => match[1] ?? '');
  assert.deepEqual(
    present.filter((address) => !address.startsWith('127.')).toSorted((a, b) => (a < b ? -1 : 1)),
    recorded.toSorted((a, b) => (a < b ? -1 : 1)),
    inside,
  );
  assert.match(host('nsenter', '-t', String(State.Pid), '-n', 'ip', 'route'), /^default via/);
  const published = Object.values(NetworkSettings.Ports).flatMap((ports) =>
    (ports ?? []).map((port) => port.HostPort),
  );
  const map = host('nft', 'list', 'map', 'inet', engine.instance, 'bound_ports');
  const mapped = [...map.matchAll(/127\.0\.0\.1 \. tcp \. (\d+)/g)].map((match) => match[1] ?? '');
  assert.deepEqual(
    mapped.toSorted((a, b) => Number(a) - Number(b)),
    published.toSorted((a, b) => Number(a) - Number(b)),
  );
}

test('networks, endpoints and ports agree with the kernel after every crash', async () => {
  await engine.ok('docker', ['run', '-d', '--name', 'stays', 'busybox', 'sleep', '3600']);
  for (let round = 0; round < rounds; round++) {
    const stop = new AbortController();
    const work = [0, 1, 2].map((worker) => churn(stop.signal, worker));
    await delay(100 + Math.random() * 600);
    await engine.kill();
    stop.abort();
    await Promise.all(work);
    await engine.start();
    await agree();
  }
  await engine.ok('docker', ['rm', '-f', 'stays']);
  await engine.ok('docker', ['network', 'prune', '-f']);
  await eventually('no bridge but the default one is left', async () =>
    host('ip', '-d', 'link', 'show', 'type', 'bridge').split(`slipway:${engine.instance}:`).length === 2
      ? true
      : undefined,
  );
  const map = host('nft', 'list', 'map', 'inet', engine.instance, 'bound_ports');
  assert.doesNotMatch(map, /elements/);
});
