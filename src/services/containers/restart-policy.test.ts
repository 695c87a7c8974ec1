import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextBackoff, remainingBackoff, shouldRestart } from './restart-policy.ts';

test('back-off doubles to a minute and begins anew after a good run', () => {
  assert.equal(nextBackoff(0, 5), 100);
  assert.equal(nextBackoff(100, 5), 200);
  assert.equal(nextBackoff(40_000, 5), 60_000);
  assert.equal(nextBackoff(60_000, 10_000), 100);
});

test('a daemon that comes back in the middle of a back-off waits for the rest of it', () => {
  const finished = '2024-01-01T00:00:10.5Z';
  const at = (seconds: number): number => Date.parse('2024-01-01T00:00:00Z') + seconds * 1000;
  assert.equal(remainingBackoff(6400, finished, at(12)), 4900);
  assert.equal(remainingBackoff(6400, finished, at(60)), 0);
  // A clock that was set back must not make it wait for ever.
  assert.equal(remainingBackoff(6400, finished, at(-1000)), 6400);
  assert.equal(remainingBackoff(6400, 'never', at(0)), 0);
});

test('restart policies', () => {
  const ask = { exitCode: 1, stopped: false, restartCount: 0, unhealthy: false };
  assert.equal(shouldRestart({ ...ask, policy: { Name: 'always' }, exitCode: 0 }), true);
  assert.equal(shouldRestart({ ...ask, policy: { Name: 'always' }, stopped: true }), false);
  const twice = { Name: 'on-failure', MaximumRetryCount: 2 } as const;
  assert.equal(shouldRestart({ ...ask, policy: twice, restartCount: 1 }), true);
  assert.equal(shouldRestart({ ...ask, policy: twice, restartCount: 2 }), false);
  assert.equal(shouldRestart({ ...ask, policy: { Name: 'on-failure' }, exitCode: 0 }), false);
  assert.equal(
    shouldRestart({ ...ask, policy: { Name: 'on-failure' }, exitCode: 0, unhealthy: true }),
    false,
  );
  assert.equal(shouldRestart({ ...ask, policy: undefined }), false);
});

test('on-unhealthy restarts after failures, too, and what was unhealthy whatever its exit code', () => {
  const policy = { Name: 'on-unhealthy', MaximumRetryCount: 3 } as const;
  const ask = { exitCode: 0, stopped: false, restartCount: 0, unhealthy: false, policy };
  assert.equal(shouldRestart(ask), false);
  assert.equal(shouldRestart({ ...ask, exitCode: 1 }), true);
  assert.equal(shouldRestart({ ...ask, unhealthy: true }), true);
  assert.equal(shouldRestart({ ...ask, unhealthy: true, stopped: true }), false);
  assert.equal(shouldRestart({ ...ask, unhealthy: true, restartCount: 3 }), false);
});
