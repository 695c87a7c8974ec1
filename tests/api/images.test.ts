/** What the image routes take from a request, by its version. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageService } from '../../src/services/images/index.ts';
import { startServer } from './fakes/server.ts';

type ListInput = Parameters<ImageService['list']>[0];

test('the list of images: `filter` until 1.40, shared sizes from 1.42 on, filters by the keys of their sets', async (t) => {
  const inputs: ListInput[] = [];
  const server = await startServer(t, {
    images: {
      list: (input) => {
        inputs.push(input);
        return Promise.resolve([]);
      },
    },
  });
  const asked = async (path: string): Promise<ListInput | undefined> => {
    assert.equal((await server.request('GET', path)).status, 200);
    return inputs.at(-1);
  };
  const byName = await asked('/v1.40/images/json?filter=one&shared-size=1');
  assert.deepEqual({ ...byName?.filters }, { reference: ['one'] });
  assert.equal(byName?.sharedSize, false);
  const later = await asked('/v1.42/images/json?filter=one&shared-size=1');
  assert.deepEqual({ ...later?.filters }, {});
  assert.equal(later?.sharedSize, true);
  const filters = encodeURIComponent(JSON.stringify({ reference: { a: true, b: false } }));
  const both = await asked(`/images/json?filters=${filters}`);
  assert.deepEqual({ ...both?.filters }, { reference: ['a', 'b'] });
});

test('a limit of a search that is no number says whose it is', async (t) => {
  const server = await startServer(t);
  const answer = await server.request('GET', '/images/search?term=x&limit=abc');
  assert.deepEqual(
    [answer.status, answer.json],
    [400, { message: 'invalid limit specified: strconv.Atoi: parsing "abc": invalid syntax' }],
  );
});
