/** What the networks service may ask about containers. */

import { isActive } from '../../core/model/container.ts';
import type { ContainerDirectory } from '../networks/index.ts';
import { writeNetworkFiles } from './bundle.ts';
import { commitRecord } from './commit.ts';
import type { Room } from './deps.ts';

export function createDirectory(room: Room): ContainerDirectory {
  return {
    find: (reference) => room.table.resolve(reference).record,
    list: () => [...room.table.entries()].map((entry) => entry.record),
    update: (_ctx, id, change) =>
      room.queue.run(id, async () => {
        const entry = room.table.resolve(id);
        await commitRecord(room, entry, await change(entry.record));
        return entry.record;
      }),
    namespace: (record) =>
      isActive(record.state) && record.state.pid > 0
        ? { path: `/proc/${record.state.pid}/ns/net` }
        : undefined,
    networksChanged: async (_ctx, record) => writeNetworkFiles(room, record),
  };
}
