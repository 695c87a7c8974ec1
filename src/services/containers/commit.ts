import type { ContainerRecord, ContainerState } from '../../core/model/container.ts';
import type { Room } from './deps.ts';
import type { Entry } from './table.ts';

/** Writes the record durably, then makes it what readers see. Call it inside the container's queue. */
export async function commitRecord(
  room: Pick<Room, 'records'>,
  entry: Entry,
  record: ContainerRecord,
): Promise<void> {
  await room.records.commit([{ op: 'put', kind: 'container', id: record.id, record }]);
  entry.record = record;
}

/** The record with some of its state changed. Pure. */
export function withState(record: ContainerRecord, state: Partial<ContainerState>): ContainerRecord {
  return { ...record, state: { ...record.state, ...state } };
}
