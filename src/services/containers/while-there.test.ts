import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conflict, notFound } from '../../core/errors.ts';
import type { Room } from './deps.ts';
import { whileThere } from './while-there.ts';

interface Seen {
  readonly id: string;
  readonly record: { readonly state: { status: string } };
}

/** A table with one container, and what `look` does to it before it fails. */
async function failing(change: (seen: Seen, drop: () => void) => void, error: Error): Promise<unknown> {
  const seen: Seen = { id: 'c', record: { state: { status: 'exited' } } };
  let held: Seen | undefined = seen;
  const table = { resolve: () => seen, get: () => held };
  const room = { table } as unknown as Pick<Room, 'table'>;
  return await whileThere(room, 'box', async () => {
    change(seen, () => (held = undefined));
    throw error;
  }).catch((failure: unknown) => failure);
}

test('what fails because the container is going says that there is none', async () => {
  const noFile = Object.assign(new Error("ENOENT: no such file or directory, scandir '/data/x'"), {
    code: 'ENOENT',
  });
  const gone = { kind: 'notFound', message: 'No such container: box' };
  const goings = [
    (_seen: Seen, drop: () => void) => drop(),
    (seen: Seen) => (seen.record.state.status = 'removing'),
  ];
  for (const change of goings) {
    for (const error of [noFile, notFound('snapshot c does not exist')]) {
      const { kind, message } = (await failing(change, error)) as { kind: string; message: string };
      assert.deepEqual({ kind, message }, gone);
    }
  }
  // A container that is there has another fault, and a refusal is an answer.
  assert.equal(await failing(() => {}, noFile), noFile);
  const refusal = conflict('container c is paused');
  assert.equal(await failing((_seen, drop) => drop(), refusal), refusal);
});
