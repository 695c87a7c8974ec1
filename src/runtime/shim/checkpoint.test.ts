import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withLiveNamespaces } from './checkpoint.ts';

test("runc's state gets the live process for namespaces that it joined by a path", () => {
  const state = {
    id: 'x',
    config: {
      rootfs: '/r',
      namespaces: [
        { type: 'NEWNS', path: '' },
        { type: 'NEWNET', path: '/proc/99/fd/17' },
        { type: 'NEWPID', path: '/proc/50/ns/pid' },
        { type: 'NEWNEXT', path: '/unknown' },
      ],
    },
  };
  assert.deepEqual(withLiveNamespaces(state, 7), {
    id: 'x',
    config: {
      rootfs: '/r',
      namespaces: [
        { type: 'NEWNS', path: '' },
        { type: 'NEWNET', path: '/proc/7/ns/net' },
        { type: 'NEWPID', path: '/proc/7/ns/pid' },
        { type: 'NEWNEXT', path: '/unknown' },
      ],
    },
  });
});

test("so does crun's copy of the specification; what is neither stays as it is", () => {
  const spec = {
    process: {},
    linux: { namespaces: [{ type: 'mount' }, { type: 'network', path: '/proc/99/fd/17' }], resources: {} },
  };
  assert.deepEqual(withLiveNamespaces(spec, 7), {
    process: {},
    linux: { namespaces: [{ type: 'mount' }, { type: 'network', path: '/proc/7/ns/net' }], resources: {} },
  });
  for (const other of [null, 5, [], {}, { linux: {} }, { linux: { namespaces: 'x' } }])
    assert.deepEqual(withLiveNamespaces(other, 7), other);
});
