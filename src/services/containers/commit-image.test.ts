import assert from 'node:assert/strict';
import { test } from 'node:test';
import { committedConfig } from './commit-image.ts';

const container = {
  Hostname: 'h',
  Tty: true,
  Image: 'busybox',
  User: '',
  WorkingDir: '/w',
  Env: ['A=1', 'B=2'],
  Entrypoint: ['/e'],
  Cmd: ['c'],
  Labels: { k: 'v' },
  Volumes: { '/v': {} },
};

test('an image takes over what belongs to images, and nothing else', () => {
  assert.deepEqual(committedConfig(container, undefined, []), {
    User: '',
    Env: ['A=1', 'B=2'],
    Entrypoint: ['/e'],
    Cmd: ['c'],
    Volumes: { '/v': {} },
    WorkingDir: '/w',
    Labels: { k: 'v' },
  });
});

test('changes go over the container, the container fills in what a client’s config leaves out', () => {
  const changed = committedConfig(container, undefined, ['ENTRYPOINT ["x"]', 'ENV A=3', 'ONBUILD RUN y']);
  assert.deepEqual([changed.Entrypoint, changed.Cmd, changed.OnBuild], [['x'], undefined, ['RUN y']]);
  assert.deepEqual(changed.Env, ['A=3', 'B=2']);
  const emptied = committedConfig(container, undefined, ['ENTRYPOINT []']);
  assert.deepEqual([emptied.Entrypoint, emptied.Cmd], [undefined, ['c']]);
  const given = committedConfig(container, { Env: ['A=9'], Labels: { l: 'w' } }, ['LABEL m=x']);
  assert.deepEqual(given.Env, ['A=9', 'B=2']);
  assert.deepEqual(given.Labels, { k: 'v', l: 'w', m: 'x' });
  assert.deepEqual([given.Entrypoint, given.Cmd, given.WorkingDir], [['/e'], ['c'], '/w']);
});
