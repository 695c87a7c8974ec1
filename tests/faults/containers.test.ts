/** The fault loop: the k-th call of any port fails, and what is left equals what was before. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateInput } from '#src/services/containers/index.ts';
import { createWorld, ctx, type Fault } from './world.ts';

type World = Awaited<ReturnType<typeof createWorld>>;

const input: CreateInput = {
  name: 'web',
  platform: undefined,
  config: { Image: 'busybox', Cmd: ['sleep', '100'], Volumes: { '/scratch': {} } },
  hostConfig: {
    Binds: ['data:/data'],
    NetworkMode: 'front',
    PortBindings: { '80/tcp': [{ HostPort: '8080' }] },
  },
  networkingConfig: {},
};

async function prepared(options: Parameters<typeof createWorld>[0] = {}): Promise<World> {
  const world = await createWorld(options);
  await world.networks.create(ctx, { name: 'front' });
  return world;
}

/** Runs `act` once for every call that it makes to a port, with that call failing; `check` looks at the rest. */
async function eachFault(
  setUp: () => Promise<World>,
  act: (world: World) => Promise<unknown>,
  check: (world: World, before: unknown, what: string) => Promise<void>,
): Promise<number> {
  const quiet = await setUp();
  quiet.faults.arm(undefined);
  await act(quiet);
  const total = quiet.faults.calls.length;
  quiet.end();
  for (let at = 1; at <= total; at += 1) {
    for (const when of ['before', 'after'] as const) {
      const fault: Fault = { at, when };
      const world = await setUp();
      const before = await world.state();
      world.faults.arm(fault);
      const outcome = await act(world).then(
        () => 'done',
        (error: unknown) => (error instanceof Error ? error.message : 'no error'),
      );
      const what = `${world.faults.failed ?? ''}, call ${at} of ${total}`;
      world.faults.arm(undefined);
      if (outcome === 'done') {
        // The one failure that heals itself: the firewall makes its table anew and publishes again.
        assert.match(what, /^firewall\.publish /, `no failure came out of ${what}`);
        world.end();
        continue;
      }
      assert.match(outcome, /injected/, what);
      await check(world, before, what);
      world.end();
    }
  }
  return total;
}

test('create: whatever fails, nothing is left and the name is free', async () => {
  const calls = await eachFault(
    prepared,
    (world) => world.service.create(ctx, input),
    async (world, before, what) => {
      assert.deepEqual(await world.state(), before, what);
      assert.deepEqual(world.service.records(), [], what);
      await world.service.create(ctx, input);
    },
  );
  assert.ok(calls >= 6, `only ${calls} calls were tried`);
});

const ranges = [{ inside: 0, outside: 100_000, size: 65_536 }];
const usersOf = { 'the host': {}, 'a user namespace': { idMapping: { uids: ranges, gids: ranges } } };

for (const [whose, options] of Object.entries(usersOf))
  test(`start with the users of ${whose}: whatever fails, the container is as before and starts the next time`, async () => {
    const setUp = async (): Promise<World> => {
      const world = await prepared(options);
      await world.service.create(ctx, input);
      return world;
    };
    const calls = await eachFault(
      setUp,
      (world) => world.service.start(ctx, 'web'),
      async (world, before, what) => {
        assert.deepEqual(await world.state(), before, what);
        const { state } = world.service.resolve('web');
        assert.equal(state.status, 'created', what);
        assert.match(state.error, /injected/, what);
        assert.notEqual(state.exitCode, 0, what);
        await world.service.start(ctx, 'web');
        assert.equal(world.service.resolve('web').state.status, 'running', what);
      },
    );
    assert.ok(calls >= 10, `only ${calls} calls were tried`);
  });

test('remove: whatever fails, the next try removes it all', async () => {
  const plain = { ...input, config: { ...input.config, Volumes: {} } };
  const empty = await prepared();
  // The volume with a name stays.
  const rest = { ...(await empty.state()), volumes: ['data'], volumeFiles: ['data'] };
  empty.end();
  const setUp = async (): Promise<World> => {
    const world = await prepared();
    await world.service.create(ctx, plain);
    return world;
  };
  const remove = (world: World): Promise<void> =>
    world.service.remove(ctx, 'web', { force: true, volumes: false, link: false });
  const calls = await eachFault(setUp, remove, async (world, _before, what) => {
    const { status } = world.service.resolve('web').state;
    // The record goes first: while it cannot, nothing is gone yet.
    if (what.startsWith('records.commit')) assert.equal(status, 'created', what);
    else {
      assert.equal(status, 'dead', what);
      await assert.rejects(world.service.start(ctx, 'web'), { kind: 'conflict' });
    }
    await remove(world);
    assert.deepEqual({ ...(await world.state()), links: rest.links }, rest, what);
    await world.service.create(ctx, plain);
  });
  assert.ok(calls >= 3, `only ${calls} calls were tried`);
});

test('exit: whatever fails in clearing up, clients learn of it and the container starts again', async () => {
  const setUp = async (): Promise<World> => {
    const world = await prepared();
    await world.service.create(ctx, input);
    await world.service.start(ctx, 'web');
    return world;
  };
  const quiet = await setUp();
  quiet.faults.arm(undefined);
  await quiet.service.kill(ctx, 'web', 'KILL');
  const total = quiet.faults.calls.length;
  quiet.end();
  assert.ok(total >= 4, `only ${total} calls were tried`);
  for (let at = 1; at <= total; at += 1) {
    const world = await setUp();
    const { result } = world.service.wait(ctx, 'web', 'not-running');
    world.faults.arm({ at, when: 'before' });
    const killed = await world.service.kill(ctx, 'web', 'KILL').then(
      () => true,
      () => false,
    );
    const what = `${world.faults.failed ?? ''}, call ${at} of ${total}`;
    world.faults.arm(undefined);
    // The intent could not be written, so the signal was not sent: a second kill does it.
    if (!killed) await world.service.kill(ctx, 'web', 'KILL');
    assert.equal((await result).exitCode, 137, what);
    assert.equal(world.service.resolve('web').state.status, 'exited', what);
    await world.service.start(ctx, 'web');
    assert.equal(world.service.resolve('web').state.status, 'running', what);
    world.end();
  }
});

test('a start that fails again and again never leaks', async () => {
  const world = await prepared();
  await world.service.create(ctx, input);
  const before = await world.state();
  for (let round = 0; round < 20; round += 1) {
    world.faults.arm({ at: 2 + (round % 6), when: round % 2 === 0 ? 'before' : 'after' });
    await assert.rejects(world.service.start(ctx, 'web'));
  }
  world.faults.arm(undefined);
  assert.deepEqual(await world.state(), before);
  world.end();
});

async function running(): Promise<World> {
  const world = await prepared();
  await world.service.create(ctx, input);
  await world.service.start(ctx, 'web');
  return world;
}

const statusOf = (world: World): string => world.service.resolve('web').state.status;

/** What an engine holds that had the container and removed it: the volume with a name stays. */
async function afterRemoval(world: World): Promise<unknown> {
  await world.service.remove(ctx, 'web', { force: true, volumes: true, link: false });
  return { ...(await world.state()), links: [] };
}

test('restart: whatever fails, the container runs or can be started, and nothing leaks', async () => {
  const restart = (world: World): Promise<void> =>
    world.service.restart(ctx, 'web', { signal: 'KILL', timeout: 0 });
  const quiet = await running();
  quiet.faults.arm(undefined);
  await restart(quiet);
  const total = quiet.faults.calls.length;
  const clean = await afterRemoval(quiet);
  quiet.end();
  assert.ok(total >= 12, `only ${total} calls were tried`);
  for (let at = 1; at <= total; at += 1) {
    const world = await running();
    world.faults.arm({ at, when: 'before' });
    const failed = await restart(world).then(
      () => false,
      () => true,
    );
    const what = `${world.faults.failed ?? ''}, call ${at} of ${total}`;
    world.faults.arm(undefined);
    const status = statusOf(world);
    assert.ok(['running', 'exited'].includes(status), `${status} after ${what}`);
    if (!failed) assert.equal(status, 'running', what);
    if (status === 'exited') await world.service.start(ctx, 'web');
    assert.equal(statusOf(world), 'running', what);
    await restart(world);
    assert.deepEqual(await afterRemoval(world), clean, what);
    world.end();
  }
});

test('exec: one that cannot start is over, the container and the next exec are not', async () => {
  const exec = async (world: World): Promise<{ id: string; run: Promise<unknown> }> => {
    const { id } = await world.service.execCreate(ctx, 'web', {
      attachStdin: false,
      attachStdout: true,
      attachStderr: true,
      tty: false,
      env: [],
      cmd: ['true'],
      privileged: false,
      user: '0',
      workingDir: '',
      detachKeys: undefined,
      consoleSize: undefined,
    });
    const start = { detach: false, tty: false, consoleSize: undefined };
    return { id, run: world.service.execStart(ctx, id, start).then(({ exit }) => exit) };
  };
  const world = await running();
  const before = await world.state();
  world.faults.arm({ at: 1, when: 'before' });
  const broken = await exec(world);
  await assert.rejects(broken.run, /injected: task\.exec/);
  world.faults.arm(undefined);
  const view = await world.service.execInspect(ctx, broken.id);
  assert.deepEqual([view.running, view.exitCode], [false, 126]);
  await assert.rejects(
    world.service.execStart(ctx, broken.id, { detach: true, tty: false, consoleSize: undefined }),
    { kind: 'conflict' },
  );
  assert.deepEqual(await (await exec(world)).run, { exitCode: 0 });
  assert.deepEqual(await world.state(), before);
  world.end();
});

test('commit: whatever fails, the container runs on or can be unpaused', async () => {
  const commit = (world: World): Promise<unknown> =>
    world.service.commit(ctx, 'web', {
      repository: '',
      tag: '',
      comment: '',
      author: '',
      pause: true,
      changes: [],
      config: undefined,
    });
  const setUp = async (): Promise<World> => {
    const world = await running();
    world.writable.write(world.service.resolve('web').id, 'new', 'text');
    return world;
  };
  const calls = await eachFault(setUp, commit, async (world, before, what) => {
    if (statusOf(world) === 'paused') await world.service.unpause(ctx, 'web');
    assert.equal(statusOf(world), 'running', what);
    assert.equal([...world.runtime.world.containers.values()][0]?.paused, false, what);
    assert.deepEqual(await world.state(), before, what);
    await commit(world);
    const last = world.committed.at(-1);
    assert.ok((last?.chunks ?? 0) > 0, what);
    // A daemon that dies here must not leave it frozen.
    assert.equal(last?.status, 'running', what);
  });
  assert.ok(calls >= 6, `only ${calls} calls were tried`);
});
