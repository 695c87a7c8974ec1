import assert from 'node:assert/strict';
import { test } from 'node:test';
import { initialState, type ContainerRecord, type ContainerStatus } from '../../core/model/container.ts';
import type { HostConfig } from '../../core/model/container-spec.ts';
import { lostExitCode, planReconcile, type Observed, type ObservedTask } from './reconcile-plan.ts';

function record(
  id: string,
  status: ContainerStatus,
  more: { hostConfig?: HostConfig; stopped?: boolean; started?: boolean } = {},
): ContainerRecord {
  return {
    id,
    name: id,
    createdAt: '2024-01-01T00:00:00Z',
    config: {},
    hostConfig: more.hostConfig ?? {},
    imageId: '',
    imageRef: '',
    platform: 'linux',
    path: 'true',
    args: [],
    driver: 'overlay2',
    snapshotKey: id,
    mounts: [],
    endpoints: {},
    ports: [],
    state: {
      ...initialState,
      status,
      ...(more.started === false ? {} : { startedAt: '2024-01-01T00:00:01Z' }),
    },
    restartCount: 0,
    manuallyStopped: more.stopped ?? false,
    logPath: '',
    runtime: 'crun',
  };
}

const observed = (
  records: readonly ContainerRecord[],
  tasks: Record<string, ObservedTask>,
  more: Partial<Observed> = {},
): Observed => ({
  tasks: new Map(Object.entries(tasks)),
  runtimeIds: Object.keys(tasks),
  snapshots: records.map((one) => one.snapshotKey),
  directories: records.map((one) => one.id),
  cgroups: [],
  mounted: [],
  now: 99n,
  ...more,
});

const plan = (
  records: readonly ContainerRecord[],
  tasks: Record<string, ObservedTask>,
  more: Partial<Observed> = {},
): readonly string[] =>
  planReconcile(records, observed(records, tasks, more)).map((action) =>
    action.do === 'removeOrphan'
      ? `orphan ${action.what} ${action.id}`
      : action.do === 'exit'
        ? `exit ${action.id} ${action.exit.exitCode}`
        : `${action.do} ${action.id}`,
  );

const exited = (exitCode: number, at: bigint): ObservedTask => ({
  state: 'exited',
  exit: { exitCode, exitedAtNano: at, oomKilled: false },
});

test('what runs is adopted', () => {
  assert.deepEqual(
    plan([record('a', 'running'), record('b', 'paused')], {
      a: { state: 'running' },
      b: { state: 'running' },
    }),
    ['adopt a', 'adopt b'],
  );
});

test('exits are applied in the order of time, with their codes', () => {
  const records = [record('a', 'running'), record('b', 'running'), record('c', 'paused')];
  assert.deepEqual(plan(records, { a: exited(3, 30n), b: exited(1, 10n), c: exited(2, 20n) }), [
    'exit b 1',
    'exit c 2',
    'exit a 3',
  ]);
});

test('one without a trace ended with the code for lost', () => {
  assert.deepEqual(plan([record('a', 'running')], { a: { state: 'gone' } }), [`exit a ${lostExitCode}`]);
  assert.deepEqual(plan([record('a', 'running')], {}), [`exit a ${lostExitCode}`]);
});

test('a half start is undone; one that always restarts then starts', () => {
  assert.deepEqual(plan([record('a', 'starting')], { a: { state: 'running' } }), ['undoStart a']);
  const always = record('b', 'starting', { hostConfig: { RestartPolicy: { Name: 'always' } } });
  assert.deepEqual(plan([always], { b: { state: 'gone' } }), ['undoStart b', 'restart b']);
});

test('removals are finished, also of --rm containers that had ended', () => {
  const records = [record('a', 'removing'), record('b', 'exited', { hostConfig: { AutoRemove: true } })];
  assert.deepEqual(plan(records, {}), ['finishRemoval a', 'finishRemoval b']);
});

test('restart policies go on', () => {
  const policy = (Name: 'always' | 'unless-stopped' | 'on-failure'): HostConfig => ({
    RestartPolicy: { Name },
  });
  const records = [
    record('a', 'exited', { hostConfig: policy('always'), stopped: true }),
    record('b', 'exited', { hostConfig: policy('unless-stopped'), stopped: true }),
    record('c', 'exited', { hostConfig: policy('unless-stopped') }),
    record('d', 'exited', { hostConfig: policy('on-failure') }),
    record('e', 'restarting'),
    record('f', 'created', { hostConfig: policy('always'), started: false }),
  ];
  assert.deepEqual(plan(records, {}), ['restart a', 'restart c', 'restart e']);
});

test('a create cut off before its snapshot gets it', () => {
  assert.deepEqual(plan([record('a', 'created', { started: false })], {}, { snapshots: [] }), [
    'prepareSnapshot a',
  ]);
});

test('what an exit left behind is cleared up before anything starts', () => {
  const policy: HostConfig = { RestartPolicy: { Name: 'always' } };
  const records = [
    record('a', 'exited'),
    record('b', 'restarting', { hostConfig: policy }),
    record('c', 'created', { started: false }),
  ];
  assert.deepEqual(plan(records, {}, { runtimeIds: ['a'], cgroups: ['b'], mounted: ['c'] }), [
    'tidy a',
    'tidy b',
    'tidy c',
    'restart b',
  ]);
});

test('orphans go: tasks, cgroups, snapshots, directories', () => {
  assert.deepEqual(
    plan(
      [record('a', 'exited')],
      {},
      { runtimeIds: ['x'], cgroups: ['x', 'y'], snapshots: ['a', 's'], directories: ['a', 'd'] },
    ),
    ['orphan task x', 'orphan task y', 'orphan snapshot s', 'orphan directory d'],
  );
});

test('restarts come after everything else', () => {
  const records = [record('r', 'restarting'), record('x', 'running')];
  assert.deepEqual(plan(records, { x: exited(0, 1n) }, { snapshots: ['r', 'x', 'lost'] }), [
    'exit x 0',
    'orphan snapshot lost',
    'restart r',
  ]);
});
