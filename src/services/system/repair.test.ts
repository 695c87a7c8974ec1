import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainAction } from './repair.ts';

test('a reconcile action is told with what, which and why', () => {
  assert.deepEqual(explainAction({ do: 'removeOrphan', what: 'snapshot', id: 'abc' }), {
    action: 'remove',
    object: 'snapshot abc',
    reason: 'no container has it',
  });
  assert.equal(explainAction({ do: 'finishRemoval', id: 'abc' }).object, 'container abc');
});
