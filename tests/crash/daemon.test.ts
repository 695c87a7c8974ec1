// timeout: 300
/** The crash loop: the daemon is killed at random points of starts, stops, restarts, execs, pauses, commits, removals and log floods; all converges. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually, startEngine, type Engine } from '../scenarios/engine.ts';
import { assertConverged, call, inspectAll } from './convergence.ts';

const rounds = 12;
const loggers = ['log-a', 'log-b', 'log-c'];
// Flood in bursts, so that there is always something under way but not a disk full.
const script =
  'i=0; while true; do j=0; while [ $j -lt 200 ]; do echo "line $i"; i=$((i+1)); j=$((j+1)); done; sleep 0.02; done';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(async () => {
  await engine.close();
});

async function create(
  name: string | undefined,
  cmd: readonly string[],
  hostConfig: object = {},
): Promise<string> {
  const query = name === undefined ? '' : `?name=${name}`;
  const { status, body } = await call(engine.socket, 'POST', `/containers/create${query}`, {
    Image: 'busybox',
    Cmd: cmd,
    HostConfig: hostConfig,
  });
  assert.equal(status, 201, JSON.stringify(body));
  return (body as { Id: string }).Id;
}

/** A client's work that the crash cuts off anywhere; its errors are the crash's. */
async function churn(stop: AbortSignal, worker: number): Promise<void> {
  for (let turn = 0; !stop.aborted; turn += 1) {
    try {
      const id = await create(undefined, worker % 2 === 0 ? ['true'] : ['sleep', '100'], {
        AutoRemove: worker === 3,
      });
      await call(engine.socket, 'POST', `/containers/${id}/start`);
      const { body } = await call(engine.socket, 'POST', `/containers/log-a/exec`, {
        Cmd: ['echo', 'x'],
        AttachStdout: true,
      });
      const exec = (body as { Id?: string }).Id;
      if (exec !== undefined) await call(engine.socket, 'POST', `/exec/${exec}/start`, { Detach: true });
      if (turn % 2 === 0) await call(engine.socket, 'DELETE', `/containers/${id}?force=1`);
    } catch {
      return;
    }
  }
}

/** What is done to containers that stay, round after round. */
async function handle(stop: AbortSignal): Promise<void> {
  const acts: readonly (() => Promise<unknown>)[] = [
    () => call(engine.socket, 'POST', '/containers/ice/pause'),
    () => call(engine.socket, 'POST', '/containers/ice/unpause'),
    () => call(engine.socket, 'POST', '/containers/turned/restart?t=0'),
    () => call(engine.socket, 'POST', '/containers/turned/stop?t=0'),
    () => call(engine.socket, 'POST', '/containers/turned/start'),
    () => call(engine.socket, 'POST', '/commit?container=ice'),
  ];
  for (let turn = 0; !stop.aborted; turn += 1) {
    // Conflicts (paused twice and the like) are part of it.
    const failed = await acts[turn % acts.length]?.().then(
      () => false,
      () => true,
    );
    if (failed === true) return;
  }
}

/** Numbers of the lines that a logger has written, in order. */
async function logged(name: string): Promise<readonly number[]> {
  const text = await engine.ok('docker', ['logs', name]);
  return text.split('\n').map((line) => Number(line.replace('line ', '').trim()));
}

test('killed again and again, the daemon finds its way back each time', async () => {
  for (const name of loggers) {
    const id = await create(name, ['sh', '-c', script]);
    assert.equal((await call(engine.socket, 'POST', `/containers/${id}/start`)).status, 204);
  }
  const restarting = await create('again', ['sh', '-c', 'sleep 0.2; exit 3'], {
    RestartPolicy: { Name: 'always' },
  });
  await call(engine.socket, 'POST', `/containers/${restarting}/start`);
  for (const name of ['ice', 'turned']) {
    const id = await create(name, ['sleep', '1000']);
    assert.equal((await call(engine.socket, 'POST', `/containers/${id}/start`)).status, 204);
  }
  const stable = [...loggers, 'ice'];
  const pids = new Map((await inspectAll(engine)).map((one) => [one.Name, one.State.Pid]));

  for (let round = 0; round < rounds; round += 1) {
    const stop = new AbortController();
    const work = [...[0, 1, 2, 3].map((worker) => churn(stop.signal, worker)), handle(stop.signal)];
    await delay(20 + Math.random() * 500);
    await engine.kill();
    stop.abort();
    await Promise.all(work);
    await engine.start();
    // What a restart policy does goes on while we look: its own container is checked at the end.
    await eventually(`round ${round} converges`, async () => {
      try {
        await assertConverged(engine);
        return true;
      } catch (error) {
        lastFailure = error;
        return undefined;
      }
    }).catch((error: unknown) => {
      throw lastFailure ?? error;
    });
    for (const one of await inspectAll(engine)) {
      if (!stable.includes(one.Name.slice(1))) continue;
      assert.match(one.State.Status, /^(running|paused)$/, `${one.Name} in round ${round}`);
      assert.equal(one.State.Pid, pids.get(one.Name), `${one.Name} is another process in round ${round}`);
    }
  }

  const again = await inspectAll(engine).then((all) => all.find((one) => one.Name === '/again'));
  assert.ok(
    again !== undefined && ['running', 'restarting', 'exited'].includes(again.State.Status),
    JSON.stringify(again?.State),
  );
});

let lastFailure: unknown;

test('no line of a log is lost or doubled', async () => {
  for (const name of loggers) {
    await engine.ok('docker', ['stop', '-t', '0', name]);
    const lines = await logged(name);
    assert.ok(lines.length > 1000, `${name} wrote only ${lines.length} lines`);
    const wrong = lines.findIndex((line, index) => line !== index);
    assert.equal(wrong, -1, `${name}: line ${wrong} is ${lines[wrong]}`);
  }
});

test('after removing everything, nothing is left', async () => {
  for (const one of await inspectAll(engine)) {
    await call(engine.socket, 'DELETE', `/containers/${one.Id}?force=1`);
  }
  await eventually('all is gone', async () => {
    const rest = await assertConverged(engine).catch(() => undefined);
    return rest?.length === 0 ? true : undefined;
  });
});

test('exits that happened while no daemon was there are known with code and time', async () => {
  const ids = await Promise.all(
    [3, 4, 5].map((code) => create(undefined, ['sh', '-c', `sleep 0.${code}; exit ${code}`])),
  );
  for (const id of ids) await call(engine.socket, 'POST', `/containers/${id}/start`);
  const pids = (await inspectAll(engine)).filter((one) => ids.includes(one.Id)).map((one) => one.State.Pid);
  await engine.kill();
  await eventually('the ends', async () => pids.every((pid) => !existsSync(`/proc/${pid}`)) || undefined);
  await delay(1000);
  await engine.start();
  const all = await inspectAll(engine);
  const codes = ids.map((id) => all.find((one) => one.Id === id)?.State);
  assert.deepEqual(
    codes.map((state) => [state?.Status, state?.ExitCode]),
    [
      ['exited', 3],
      ['exited', 4],
      ['exited', 5],
    ],
  );
  const finished = codes.map((state) => (state as unknown as { FinishedAt: string }).FinishedAt);
  assert.deepEqual(finished.toSorted(), finished, 'the times are in the order of the exits');
  const late = Date.now() - Date.parse(finished[2] ?? '');
  assert.ok(late > 700, `the time is that of the exit, not of the daemon's return (${late} ms ago)`);
});
