import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HealthConfig } from '../../core/model/container-spec.ts';
import { initialState, type ContainerRecord, type Health } from '../../core/model/container.ts';
import { healthCheckOf, judgeProbe, nextProbeAt, shownHealth, startingHealth } from './health-rules.ts';

const second = 1_000_000_000;
const begin = Date.parse('2024-01-01T00:00:00Z');
/** RFC 3339 of a second after the start. */
const time = (at: number): string => new Date(begin + at * 1000).toISOString();
const probe = (exitCode: number, at = 0) => ({ start: time(at), end: time(at), exitCode, output: '' });

function record(check: HealthConfig | undefined, health?: Health): ContainerRecord {
  return {
    config: check === undefined ? {} : { Healthcheck: check },
    state: { ...initialState, status: 'running', startedAt: time(0) },
    ...(health === undefined ? {} : { health }),
  } as unknown as ContainerRecord;
}

test('commands and defaults', () => {
  const of = (check: HealthConfig, shell?: readonly string[]) =>
    healthCheckOf({ config: { Healthcheck: check, ...(shell === undefined ? {} : { Shell: shell }) } });
  assert.deepEqual(of({ Test: ['CMD', 'a', 'b'] }), {
    command: ['a', 'b'],
    intervalMs: 30_000,
    timeoutMs: 30_000,
    startPeriodMs: 0,
    startIntervalMs: 5000,
    retries: 3,
  });
  // The words behind the first are the shell's arguments, as Docker has it.
  assert.deepEqual(of({ Test: ['CMD-SHELL', 'a; b', 'c'] })?.command, ['/bin/sh', '-c', 'a; b', 'c']);
  assert.deepEqual(of({ Test: ['CMD-SHELL', 'a'] }, ['/bin/ash', '-ec'])?.command, ['/bin/ash', '-ec', 'a']);
  for (const none of [['NONE'], [], ['CMD'], ['FOO', 'a']]) assert.equal(of({ Test: none }), undefined);
  const quick = of({ Test: ['CMD', 'a'], Interval: second, StartPeriod: 9 * second });
  assert.deepEqual([quick?.intervalMs, quick?.startIntervalMs, quick?.startPeriodMs], [1000, 1000, 9000]);
});

test('retries in a row make it unhealthy, the start period forgives', () => {
  const check = { retries: 2, startPeriodMs: 10_000 };
  let health: Health = { status: 'starting', failingStreak: 0, log: [] };
  const take = (exitCode: number, at: number): unknown => {
    health = judgeProbe(health, probe(exitCode, at), check, time(0));
    return [health.status, health.failingStreak, health.log.length];
  };
  assert.deepEqual(take(1, 9), ['starting', 0, 1]);
  assert.deepEqual(take(1, 10), ['starting', 1, 2]);
  assert.deepEqual(take(-1, 11), ['unhealthy', 2, 3]);
  assert.deepEqual(take(0, 12), ['healthy', 0, 4]);
  assert.deepEqual(take(1, 13), ['healthy', 1, 5]);
  assert.deepEqual(take(1, 14), ['unhealthy', 2, 5]);
});

test('one success ends the start period', () => {
  const check = { retries: 1, startPeriodMs: 10_000 };
  const well = judgeProbe({ status: 'starting', failingStreak: 0, log: [] }, probe(0, 1), check, time(0));
  assert.equal(judgeProbe(well, probe(1, 2), check, time(0)).status, 'unhealthy');
});

test('the next probe follows from the record, whoever ran the last one', () => {
  const config = {
    Test: ['CMD', 'a'],
    Interval: 20 * second,
    StartPeriod: 60 * second,
    StartInterval: 3 * second,
  };
  const due = (health: Health | undefined, now: number): number => {
    const one = record(config, health);
    const check = healthCheckOf(one);
    assert.ok(check !== undefined);
    return (nextProbeAt(check, one, begin + now * 1000) - begin) / 1000;
  };
  const starting: Health = { status: 'starting', failingStreak: 0, log: [] };
  assert.equal(due(starting, 0), 3);
  assert.equal(due({ ...starting, log: [probe(1, 30)] }, 31), 33);
  assert.equal(due({ ...starting, log: [probe(1, 59)] }, 61), 79, 'the start period is over');
  assert.equal(due({ ...starting, status: 'healthy', log: [probe(0, 4)] }, 5), 24);
  assert.equal(due({ ...starting, log: [probe(0, -50)] }, 0), 3, 'a probe of the run before does not count');
  assert.equal(due({ ...starting, status: 'healthy', log: [probe(0, 4)] }, 500), 24, 'overdue: at once');
});

test('a start keeps the log; nobody checks what does not run, which Docker shows as unhealthy', () => {
  const health: Health = { status: 'healthy', failingStreak: 0, log: [probe(0)] };
  const one = record({ Test: ['CMD', 'a'] }, health);
  assert.deepEqual(startingHealth(one), { ...health, status: 'starting' });
  assert.equal(startingHealth(record(undefined)), undefined);
  assert.equal(startingHealth(record({ Test: ['NONE'] })), undefined);
  assert.equal(shownHealth(one)?.status, 'healthy');
  for (const status of ['paused', 'exited'] as const)
    assert.equal(shownHealth({ ...one, state: { ...one.state, status } })?.status, 'unhealthy');
  assert.equal(shownHealth(record(undefined)), undefined);
});
