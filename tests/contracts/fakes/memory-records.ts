import { unavailable } from '../../../src/core/errors.ts';
import type { RecordKind, RecordKinds, RecordStore } from '../../../src/core/ports/record-store.ts';

/** Records in memory. Keeps JSON, as the real store does, so that nobody shares an object with it. */
export function createMemoryRecords(): RecordStore {
  const rows = new Map<string, { kind: RecordKind; id: string; json: string }>();
  let closed = false;
  const check = (): void => {
    if (closed) throw unavailable('record store is closed');
  };
  return {
    list: async <K extends RecordKind>(kind: K): Promise<readonly RecordKinds[K][]> => {
      check();
      return [...rows.values()]
        .filter((row) => row.kind === kind)
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .map((row) => JSON.parse(row.json) as RecordKinds[K]);
    },
    commit: async (changes) => {
      check();
      const encoded = changes.map((change) => (change.op === 'put' ? JSON.stringify(change.record) : ''));
      changes.forEach((change, index) => {
        const key = `${change.kind}/${change.id}`;
        if (change.op === 'put')
          rows.set(key, { kind: change.kind, id: change.id, json: encoded[index] ?? '' });
        else rows.delete(key);
      });
    },
    damaged: async () => {
      check();
      return [];
    },
    close: async () => {
      closed = true;
    },
  };
}
