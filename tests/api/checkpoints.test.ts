import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conflict, internal, notImplemented } from '../../src/core/errors.ts';
import type { CheckpointInput, CheckpointPlace, StartFrom } from '../../src/services/containers/index.ts';
import { startServer } from './fakes/server.ts';

test('a checkpoint is made, listed and removed by the names and folders of the request', async (t) => {
  const calls: unknown[] = [];
  const server = await startServer(t, {
    containers: {
      createCheckpoint: async (_ctx, ref: string, input: CheckpointInput) => void calls.push([ref, input]),
      listCheckpoints: async (_ctx, ref: string, directory: string) => {
        calls.push([ref, directory]);
        if (ref === 'new') return undefined;
        return directory === '/d' ? [] : ['a1', 'b1'];
      },
      removeCheckpoint: async (_ctx, ref: string, place: CheckpointPlace) => void calls.push([ref, place]),
    },
  });
  const body = '{"CheckpointID":"c1","checkpointdir":"/d","Exit":true,"More":1}';
  const made = await server.request('POST', '/v1.41/containers/web/checkpoints', { body });
  assert.deepEqual([made.status, made.text], [201, '']);
  await server.request('POST', '/containers/web/checkpoints', { body: '{"CheckpointID":"c2"}' });
  const lists = [];
  for (const path of ['web/checkpoints', 'web/checkpoints?dir=/d', 'new/checkpoints']) {
    const answer = await server.request('GET', `/v1.45/containers/${path}`);
    lists.push([answer.status, answer.json]);
  }
  assert.deepEqual(lists, [
    [200, [{ Name: 'a1' }, { Name: 'b1' }]],
    [200, null],
    [200, null],
  ]);
  const removed = await server.request('DELETE', '/v1.45/containers/web/checkpoints/c1?dir=%2Fd');
  assert.deepEqual([removed.status, removed.text], [204, '']);
  await server.request('DELETE', '/containers/web/checkpoints/%2e%2e');
  assert.deepEqual(calls, [
    ['web', { name: 'c1', directory: '/d', exit: true }],
    ['web', { name: 'c2', directory: '', exit: false }],
    ['web', ''],
    ['web', '/d'],
    ['new', ''],
    ['web', { name: 'c1', directory: '/d' }],
    ['web', { name: '..', directory: '' }],
  ]);
});

test('a name with a slash is no checkpoint of any container', async (t) => {
  const server = await startServer(t, {
    containers: {
      remove: (_ctx, ref: string) => {
        throw internal(`asked for ${ref}`);
      },
    },
  });
  const answer = await server.request('DELETE', '/containers/web/checkpoints/a%2fb');
  assert.deepEqual(answer.json, { message: 'asked for web/checkpoints/a/b' });
});

test('a start goes on from the checkpoint that it names, and begins anew without one', async (t) => {
  const starts: (StartFrom | undefined)[] = [];
  const server = await startServer(t, {
    containers: { start: async (_ctx, _ref, from) => void starts.push(from) },
  });
  for (const query of [
    '',
    '?checkpoint=c1',
    '?checkpoint=..%2Fc1&checkpoint-dir=%2Fetc',
    '?checkpoint-dir=%2Fd',
  ]) {
    assert.equal((await server.request('POST', `/v1.45/containers/web/start${query}`)).status, 204);
  }
  assert.deepEqual(starts, [
    { checkpoint: '', directory: '' },
    { checkpoint: 'c1', directory: '' },
    { checkpoint: '../c1', directory: '/etc' },
    { checkpoint: '', directory: '/d' },
  ]);
});

test('bad bodies and refusals answer in words of dockerd', async (t) => {
  let refusal: Error = conflict('container web is not running');
  const server = await startServer(t, {
    containers: {
      createCheckpoint: () => {
        throw refusal;
      },
    },
  });
  const path = '/v1.45/containers/web/checkpoints';
  const wrong = await server.request('POST', path, { body: '{"CheckpointID":5}' });
  const words =
    'invalid JSON: json: cannot unmarshal number into Go struct field CreateOptions.CheckpointID of type string';
  assert.deepEqual([wrong.status, wrong.json], [400, { message: words }]);
  const exit = await server.request('POST', path, { body: '{"Exit":"yes"}' });
  assert.equal(exit.status, 400);
  for (const [error, status] of [
    [refusal, 409],
    [internal('cannot checkpoint container web: checkpoint with name c1 already exists'), 500],
    [notImplemented('checkpoint and restore need criu'), 501],
  ] as const) {
    refusal = error;
    const answer = await server.request('POST', path, { body: '{"CheckpointID":"c1"}' });
    assert.deepEqual([answer.status, answer.json], [status, { message: error.message }]);
  }
});
