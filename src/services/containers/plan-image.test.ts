import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandOf, mergeImageConfig } from './plan-image.ts';

const image = {
  Cmd: ['serve'],
  Entrypoint: ['/entry'],
  Env: ['PATH=/bin', 'A=image', 'B=image'],
  Labels: { a: 'image', b: 'image' },
  ExposedPorts: { '80/tcp': {} },
  Volumes: { '/data': {} },
  User: 'www',
  WorkingDir: '/srv',
  StopSignal: 'SIGQUIT',
  Healthcheck: { Test: ['CMD', 'true'], Interval: 5_000_000_000, Retries: 4 },
} as const;

test('a container that says nothing is what its image says', () => {
  const merged = mergeImageConfig({}, image);
  assert.deepEqual(commandOf(merged), { path: '/entry', args: ['serve'] });
  assert.equal(merged.User, 'www');
  assert.equal(merged.WorkingDir, '/srv');
  assert.equal(merged.StopSignal, 'SIGQUIT');
  assert.deepEqual(merged.Healthcheck, image.Healthcheck);
  assert.deepEqual(merged.Volumes, { '/data': {} });
});

test('a command replaces the image command and keeps its entrypoint', () => {
  assert.deepEqual(commandOf(mergeImageConfig({ Cmd: ['x', 'y'] }, image)), {
    path: '/entry',
    args: ['x', 'y'],
  });
});

test('an entrypoint silences the image command', () => {
  assert.deepEqual(commandOf(mergeImageConfig({ Entrypoint: ['/own'] }, image)), { path: '/own', args: [] });
});

test('an empty entrypoint takes the image entrypoint away', () => {
  const merged = mergeImageConfig({ Entrypoint: [''], Cmd: ['sh'] }, image);
  assert.deepEqual(commandOf(merged), { path: 'sh', args: [] });
  assert.throws(() => commandOf(mergeImageConfig({ Entrypoint: [''] }, image)), {
    message: 'no command specified',
  });
});

test('environment: the user first, then what the image adds', () => {
  assert.deepEqual(mergeImageConfig({ Env: ['A=own', 'C'] }, image).Env, [
    'A=own',
    'C',
    'PATH=/bin',
    'B=image',
  ]);
});

test('labels, ports and health checks are merged key by key', () => {
  const merged = mergeImageConfig(
    { Labels: { a: 'own' }, ExposedPorts: { '81/udp': {} }, Healthcheck: { Interval: 1_000_000_000 } },
    image,
  );
  assert.deepEqual(merged.Labels, { a: 'own', b: 'image' });
  assert.deepEqual(Object.keys(merged.ExposedPorts ?? {}), ['80/tcp', '81/udp']);
  assert.deepEqual(merged.Healthcheck, { Test: ['CMD', 'true'], Interval: 1_000_000_000, Retries: 4 });
});

test('a label named __proto__ stays a label', () => {
  const labels = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
  const merged = mergeImageConfig({ Labels: labels }, {});
  assert.equal(Object.getOwnPropertyDescriptor(merged.Labels, '__proto__')?.value, 'x');
});
