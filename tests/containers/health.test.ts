// timeout: 300
/** Health checks and restart policies on the real kernel, across deaths of the daemon. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { clients, eventually, startEngine, type Engine } from '../scenarios/engine.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(async () => await engine.close());

const ok = async (...args: string[]): Promise<string> => await engine.ok('docker', args);
const now = (): string => String(Date.now() / 1000);
const remove = async (...names: string[]): Promise<string> => await ok('rm', '-f', ...names);

interface Probe {
  readonly Start: string;
  readonly End: string;
  readonly ExitCode: number;
  readonly Output: string;
}
interface State {
  readonly Status: string;
  readonly Pid: number;
  readonly StartedAt: string;
  readonly Health?: {
    readonly Status: string;
    readonly FailingStreak: number;
    readonly Log: readonly Probe[];
  };
}
const state = async (name: string): Promise<State> =>
  JSON.parse(await ok('inspect', '-f', '{{json .State}}', name)) as State;
const restarts = async (name: string): Promise<number> =>
  Number(await ok('inspect', '-f', '{{.RestartCount}}', name));
const health = async (name: string): Promise<NonNullable<State['Health']>> => {
  const found = (await state(name)).Health;
  assert.ok(found !== undefined, `${name} has no health`);
  return found;
};
const becomes = async (name: string, status: string): Promise<NonNullable<State['Health']>> =>
  await eventually(
    `${name} is ${status}`,
    async () => {
      const found = await health(name);
      return found.Status === status ? found : undefined;
    },
    60_000,
  );

const every = (interval: string, command: string, ...more: string[]): string[] => [
  '--health-interval',
  interval,
  '--health-cmd',
  command,
  ...more,
];

test('a check goes from starting to healthy to unhealthy and back, with events', async () => {
  const since = now();
  const check = every('200ms', 'echo said; echo more >&2; test -f /ok', '--health-retries', '2');
  await ok('run', '-d', '--name', 'turn', ...check, 'busybox', 'sh', '-c', 'sleep 1000');
  await ok('exec', 'turn', 'touch', '/ok');
  const well = await becomes('turn', 'healthy');
  assert.equal(well.Log.at(-1)?.Output, 'said\nmore\n');
  assert.equal(well.FailingStreak, 0);
  assert.match(
    await ok('ps', '--filter', 'health=healthy', '--format', '{{.Names}} {{.Status}}'),
    /^turn Up .*\(healthy\)$/,
  );
  await ok('exec', 'turn', 'rm', '/ok');
  const ill = await becomes('turn', 'unhealthy');
  assert.ok(ill.FailingStreak >= 2, String(ill.FailingStreak));
  assert.equal(ill.Log.at(-1)?.ExitCode, 1);
  await ok('exec', 'turn', 'touch', '/ok');
  await becomes('turn', 'healthy');
  const full = await eventually('five probes', async () => {
    const { Log } = await health('turn');
    return Log.length >= 5 ? Log : undefined;
  });
  assert.equal(full.length, 5);
  const filter = ['--filter', 'container=turn', '--filter', 'event=health_status'];
  const events = await ok('events', '--since', since, '--until', now(), ...filter, '--format', '{{.Action}}');
  assert.deepEqual(events.split('\n').slice(-3), [
    'health_status: healthy',
    'health_status: unhealthy',
    'health_status: healthy',
  ]);
  // Nobody checks what is frozen: unhealthy in Docker's words, and healthy again when it thaws.
  await ok('pause', 'turn');
  assert.equal((await health('turn')).Status, 'unhealthy');
  assert.match(await ok('ps', '--filter', 'name=turn', '--format', '{{.Status}}'), /\(Paused\)$/);
  await ok('unpause', 'turn');
  await becomes('turn', 'healthy');
  await ok('stop', '-t', '0', 'turn');
  const ended = await health('turn');
  assert.deepEqual([ended.Status, ended.Log.length], ['unhealthy', 5]);
  await ok('start', 'turn');
  const again = await health('turn');
  assert.deepEqual([again.Status, again.FailingStreak, again.Log.length], ['starting', 0, 5]);
  await remove('turn');
});

test('a check that takes too long is killed; long output is cut; a missing command fails', async () => {
  const one = ['--health-retries', '1'];
  const slow = every('200ms', 'echo begun; sleep 1000', '--health-timeout', '1s', ...one);
  const loud = every('200ms', 'head -c 9000 /dev/zero | tr "\\0" x; exit 3', ...one);
  await ok('run', '-d', '--name', 'slow', ...slow, 'busybox', 'sleep', '1000');
  await ok('run', '-d', '--name', 'loud', ...loud, 'busybox', 'sleep', '1000');
  const cut = await becomes('loud', 'unhealthy');
  assert.equal(cut.Log[0]?.ExitCode, 3);
  assert.equal(cut.Log[0]?.Output, `${'x'.repeat(4096)}...`);
  const late = await becomes('slow', 'unhealthy');
  assert.deepEqual(
    [late.Log[0]?.ExitCode, late.Log[0]?.Output],
    [-1, 'Health check exceeded timeout (1s): begun\n'],
  );
  assert.doesNotMatch(await ok('top', 'slow', '-eo', 'pid,args'), /echo begun/);
  await remove('slow', 'loud');
  const missing = ['--health-cmd', 'x', '--health-interval', '200ms', ...one];
  await ok('run', '-d', '--name', 'missing', ...missing, 'busybox', 'sleep', '1000');
  assert.equal((await becomes('missing', 'unhealthy')).Log[0]?.ExitCode, 127);
  await remove('missing');
});

test('no check, and one of the image that is switched off', async () => {
  await ok('create', '--name', 'base', 'busybox', 'sleep', '1000');
  await ok('commit', '-c', 'HEALTHCHECK --interval=200ms --retries=7 CMD true', 'base', 'checked');
  await ok('run', '-d', '--name', 'off', '--no-healthcheck', 'checked', 'sleep', '1000');
  await ok('run', '-d', '--name', 'none', 'busybox', 'sleep', '1000');
  await ok('run', '-d', '--name', 'own', '--health-interval', '300ms', 'checked', 'sleep', '1000');
  assert.equal((await state('off')).Health, undefined);
  assert.equal((await state('none')).Health, undefined);
  await becomes('own', 'healthy');
  const merged = JSON.parse(await ok('inspect', '-f', '{{json .Config.Healthcheck}}', 'own')) as object;
  assert.deepEqual(merged, { Test: ['CMD-SHELL', 'true'], Interval: 300_000_000, Retries: 7 });
  assert.equal(
    await ok('ps', '--filter', 'health=none', '--format', '{{.Names}}').then((text) =>
      text.split('\n').sort().join(),
    ),
    'none,off',
  );
  await remove('base', 'off', 'none', 'own');
  await ok('rmi', 'checked');
});

test('counters, log and schedule go on when the daemon comes back', async () => {
  const failing = every('500ms', 'exit 9', '--health-retries', '100000');
  await ok('run', '-d', '--name', 'streak', ...failing, 'busybox', 'sleep', '1000');
  const rare = every('1h', 'true', '--health-start-period', '1h', '--health-start-interval', '1s');
  await ok('run', '-d', '--name', 'rare', ...rare, 'busybox', 'sleep', '1000');
  await becomes('rare', 'healthy');
  const before = await eventually('some failures', async () => {
    const found = await health('streak');
    return found.FailingStreak >= 3 ? found : undefined;
  });
  const { Pid } = await state('streak');
  await engine.kill();
  await engine.start();
  const after = await health('streak');
  assert.equal(after.Status, 'starting');
  assert.ok(after.FailingStreak >= before.FailingStreak, `${after.FailingStreak} ${before.FailingStreak}`);
  assert.ok(after.Log.some((probe) => probe.Start === before.Log.at(-1)?.Start));
  await eventually('it goes on counting', async () =>
    (await health('streak')).FailingStreak > after.FailingStreak + 1 ? true : undefined,
  );
  assert.equal((await state('streak')).Pid, Pid);
  const rested = await health('rare');
  assert.deepEqual([rested.Status, rested.Log.length], ['healthy', 1], 'an hour has not passed');
  await remove('streak', 'rare');
});

for (const client of clients) {
  test(`--restart on-unhealthy by ${client}: stopped and started again, as often as allowed`, async () => {
    const by = async (...args: string[]): Promise<string> => await engine.ok(client, args);
    const check = every('200ms', 'test -f /tmp/ok', '--health-retries', '1');
    const script = 'trap "exit 0" TERM; touch /tmp/ok; while :; do sleep 0.05; done';
    const shell = ['busybox', 'sh', '-c', script];
    await by(
      'run',
      '-d',
      '--name',
      'sick',
      '--restart',
      'on-unhealthy',
      '--tmpfs',
      '/tmp',
      ...check,
      ...shell,
    );
    await becomes('sick', 'healthy');
    const first = await state('sick');
    const since = now();
    await by('exec', 'sick', 'rm', '/tmp/ok');
    await eventually('a restart', async () => ((await restarts('sick')) === 1 ? true : undefined), 60_000);
    await becomes('sick', 'healthy');
    assert.notEqual((await state('sick')).Pid, first.Pid);
    const filter = ['--filter', 'container=sick', '--format', '{{.Action}}'];
    const all = (await by('events', '--since', since, '--until', now(), ...filter)).split('\n');
    const told = all.filter((action) => !action.startsWith('exec_'));
    assert.deepEqual(told.slice(0, 5), [
      'health_status: unhealthy',
      'kill',
      'die',
      'start',
      'health_status: healthy',
    ]);
    // A person's stop is the last word.
    await by('stop', 'sick');
    assert.equal((await state('sick')).Status, 'exited');
    await by('rm', 'sick');

    const never = every('200ms', 'false', '--health-retries', '1');
    const twice = ['--restart', 'on-unhealthy:2', '--stop-signal', 'KILL'];
    await by('run', '-d', '--name', 'lost', ...twice, ...never, 'busybox', 'sleep', '1000');
    await eventually('both retries', async () => ((await restarts('lost')) === 2 ? true : undefined), 60_000);
    await becomes('lost', 'unhealthy');
    const streak = (await health('lost')).FailingStreak;
    await eventually('it is left alone', async () =>
      (await health('lost')).FailingStreak > streak + 2 ? true : undefined,
    );
    assert.deepEqual([(await state('lost')).Status, await restarts('lost')], ['running', 2]);
    await by('rm', '-f', 'lost');

    const refused = await engine.run(client, ['create', '--restart', 'on-unhealthy', 'busybox']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /'on-unhealthy' needs a health check, and the container has none/);
    const unknown = await engine.run(client, ['create', '--restart', 'on-sunday', 'busybox']);
    assert.match(unknown.stderr, /invalid restart policy: unknown policy 'on-sunday'/);
    await by('create', '--name', 'plain', 'busybox', 'true');
    const late = await engine.run(client, ['update', '--restart', 'on-unhealthy:1', 'plain']);
    assert.match(late.stderr, /'on-unhealthy' needs a health check/);
    await by('rm', 'plain');
  });
}

test('an unhealthy container whose daemon died in the middle is restarted by the next', async () => {
  const never = every('200ms', 'false', '--health-retries', '2');
  await ok(
    'run',
    '-d',
    '--name',
    'mid',
    '--restart',
    'on-unhealthy:1',
    '--stop-timeout',
    '3',
    ...never,
    'busybox',
    'sleep',
    '1000',
  );
  // Its first process ignores SIGTERM: the stop waits three seconds, and the daemon dies meanwhile.
  await becomes('mid', 'unhealthy');
  await engine.kill();
  await engine.start();
  await eventually('the restart', async () => ((await restarts('mid')) === 1 ? true : undefined), 60_000);
  await remove('mid');
});

test('a policy counts on when the daemon comes back; always and unless-stopped obey a stop', async () => {
  await ok('run', '-d', '--name', 'loop', '--restart', 'always', 'busybox', 'sh', '-c', 'exit 1');
  await ok('run', '-d', '--name', 'always', '--restart', 'always', 'busybox', 'sleep', '1000');
  await ok('run', '-d', '--name', 'unless', '--restart', 'unless-stopped', 'busybox', 'sleep', '1000');
  await ok('stop', '-t', '0', 'always', 'unless');
  const count = await eventually(
    'five restarts',
    async () => {
      const found = await restarts('loop');
      return found >= 5 ? found : undefined;
    },
    60_000,
  );
  await engine.kill();
  await engine.start();
  assert.ok((await restarts('loop')) >= count);
  await eventually('the next', async () => ((await restarts('loop')) > count + 1 ? true : undefined), 60_000);
  assert.equal((await state('unless')).Status, 'exited');
  await eventually('always comes back with the daemon', async () =>
    (await state('always')).Status === 'running' ? true : undefined,
  );
  await ok('start', 'unless');
  const { Pid } = await state('unless');
  await engine.kill();
  // Its own process, by the id that this engine told.
  process.kill(Pid, 'SIGKILL');
  await engine.start();
  await eventually('what was not stopped by a person comes back', async () =>
    (await state('unless')).Status === 'running' ? true : undefined,
  );
  await ok('stop', '-t', '0', 'loop');
  const stopped = await restarts('loop');
  assert.equal((await state('loop')).Status, 'exited');
  await ok('start', 'loop');
  assert.ok((await restarts('loop')) <= stopped, 'a start by hand begins anew');
  await remove('loop', 'always', 'unless');
});

test('a freezer that a dying daemon left half-way follows the record', async () => {
  const ids: string[] = [];
  for (const name of ['warm', 'cold'])
    ids.push(await ok('run', '-d', '--name', name, 'busybox', 'sleep', '1000'));
  await ok('pause', 'cold');
  const files = ids.map((id) => freezerOf(id));
  await engine.kill();
  // As if it had died between the kernel and its record.
  writeFileSync(files[0]?.path ?? '', files[0]?.frozen ?? '');
  writeFileSync(files[1]?.path ?? '', files[1]?.thawed ?? '');
  await engine.start();
  await eventually('both as recorded', async () => {
    const now = files.map(({ path }) => readFileSync(path, 'utf8').trim());
    return now[0] === files[0]?.thawed && now[1] === files[1]?.frozen ? true : undefined;
  });
  assert.equal(await ok('exec', 'warm', 'echo', 'alive'), 'alive');
  await ok('unpause', 'cold');
  await remove('warm', 'cold');
});

function freezerOf(id: string): { readonly path: string; readonly frozen: string; readonly thawed: string } {
  const found = [
    {
      path: `/sys/fs/cgroup/freezer/${engine.instance}/${id}/freezer.state`,
      frozen: 'FROZEN',
      thawed: 'THAWED',
    },
    { path: `/sys/fs/cgroup/${engine.instance}/${id}/cgroup.freeze`, frozen: '1', thawed: '0' },
    { path: `/sys/fs/cgroup/unified/${engine.instance}/${id}/cgroup.freeze`, frozen: '1', thawed: '0' },
  ].find(({ path }) => existsSync(path));
  assert.ok(found !== undefined, 'the container has a freezer');
  return found;
}
