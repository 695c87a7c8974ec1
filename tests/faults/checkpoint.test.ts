/** Checkpoints when a call of a port fails: the container goes on, thawed, and no half of a checkpoint is listed. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld, ctx } from './world.ts';

type World = Awaited<ReturnType<typeof createWorld>>;

async function running(checkpointProblem: () => string | undefined = () => undefined): Promise<World> {
  const world = await createWorld({ checkpointProblem });
  await world.service.create(ctx, {
    name: 'web',
    platform: undefined,
    config: { Image: 'busybox', Cmd: ['sleep', '1000'] },
    hostConfig: { NetworkMode: 'none' },
    networkingConfig: {},
  });
  await world.service.start(ctx, 'web');
  return world;
}

const place = { name: 'c1', directory: '' };
const list = async (world: World): Promise<readonly string[]> =>
  (await world.service.listCheckpoints(ctx, 'web', '')) ?? [];
const isFrozen = (world: World): boolean | undefined =>
  [...world.runtime.world.containers.values()][0]?.paused;

for (const exit of [false, true]) {
  test(`create${exit ? ' that ends the container' : ''}: whatever fails, it goes on`, async () => {
    const quiet = await running();
    quiet.faults.arm(undefined);
    await quiet.service.createCheckpoint(ctx, 'web', { ...place, exit });
    const calls = [...quiet.faults.calls];
    assert.deepEqual(await list(quiet), ['c1']);
    assert.equal(quiet.service.resolve('web').state.status, exit ? 'exited' : 'running');
    quiet.end();
    const steps = exit ? ['pause', 'checkpoint', 'signal', 'resume'] : ['checkpoint'];
    assert.deepEqual(
      calls.filter((call) => call.startsWith('task.')),
      steps.map((step) => `task.${step}`),
    );
    // What comes behind the last of these belongs to the exit.
    const last = calls.lastIndexOf(exit ? 'task.signal' : 'host.syncfs');
    for (let at = 1; at <= last + 1; at += 1) {
      const world = await running();
      world.faults.arm({ at, when: 'before' });
      const made = world.service.createCheckpoint(ctx, 'web', { ...place, exit });
      await assert.rejects(made, /injected/, calls[at - 1]);
      world.faults.arm(undefined);
      assert.equal(isFrozen(world), false, calls[at - 1]);
      assert.equal(world.service.resolve('web').state.status, 'running', calls[at - 1]);
      const isWhole = calls[at - 1] === 'task.signal';
      assert.deepEqual(await list(world), isWhole ? ['c1'] : [], calls[at - 1]);
      await world.service.createCheckpoint(ctx, 'web', { name: 'c2', directory: '', exit: true });
      await world.service.start(ctx, 'web', { checkpoint: 'c2', directory: '' });
      assert.equal(world.service.resolve('web').state.status, 'running');
      world.end();
    }
  });
}

test('a start from a checkpoint that fails leaves the container as it was, and says why', async () => {
  const world = await running();
  await world.service.createCheckpoint(ctx, 'web', { ...place, exit: true });
  const before = await world.state();
  const from = { checkpoint: 'c1', directory: '' };
  world.faults.arm(undefined);
  await world.service.start(ctx, 'web', from);
  const total = world.faults.calls.length;
  for (let at = 1; at <= total; at += 1) {
    await world.service.kill(ctx, 'web', 'KILL').catch(() => {});
    world.faults.arm({ at, when: 'before' });
    const started = world.service.start(ctx, 'web', from);
    await assert.rejects(started, /injected/);
    world.faults.arm(undefined);
    const { state } = world.service.resolve('web');
    assert.match(state.error, /injected/);
    assert.equal(state.status, 'exited');
    assert.deepEqual((await world.state()).tasks, before.tasks);
    await world.service.start(ctx, 'web', from);
  }
  assert.ok(total >= 4, `only ${total} calls were tried`);
  world.end();
});

test('the checkpoints of a container go with it; without support nothing is begun', async () => {
  let problem: string | undefined;
  const world = await running(() => problem);
  await world.service.createCheckpoint(ctx, 'web', { ...place, exit: false });
  await world.service.removeCheckpoint(ctx, 'web', place);
  assert.deepEqual(await list(world), []);
  await assert.rejects(world.service.removeCheckpoint(ctx, 'web', place), {
    kind: 'internal',
    message: 'checkpoint c1 does not exist for container web',
  });
  await world.service.createCheckpoint(ctx, 'web', { ...place, exit: false });
  problem = 'no criu';
  world.faults.arm(undefined);
  await assert.rejects(
    world.service.createCheckpoint(ctx, 'web', { name: 'c2', directory: '', exit: true }),
    {
      kind: 'notImplemented',
      message: 'no criu',
    },
  );
  assert.deepEqual(world.faults.calls, []);
  await world.service.kill(ctx, 'web', 'KILL');
  await assert.rejects(world.service.start(ctx, 'web', { checkpoint: 'c1', directory: '' }), {
    kind: 'notImplemented',
  });
  assert.match(world.service.resolve('web').state.error, /no criu/);
  await world.service.remove(ctx, 'web', { force: true, volumes: false, link: false });
  assert.deepEqual((await world.state()).directories, []);
  world.end();
});
