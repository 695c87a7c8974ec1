import type { ContainerRecord } from '../model/container.ts';
import type { DebtRecord } from '../model/debt.ts';
import type { ImageRecord } from '../model/image.ts';
import type { NetworkRecord } from '../model/network.ts';
import type { VolumeRecord } from '../model/volume.ts';

/** The kinds of record and their types. `meta` holds single facts of the engine (engine id, last clean stop). */
export interface RecordKinds {
  container: ContainerRecord;
  image: ImageRecord;
  network: NetworkRecord;
  volume: VolumeRecord;
  debt: DebtRecord;
  meta: Readonly<Record<string, unknown>>;
}
export type RecordKind = keyof RecordKinds;

export type RecordChange = {
  [K in RecordKind]:
    | { readonly op: 'put'; readonly kind: K; readonly id: string; readonly record: RecordKinds[K] }
    | { readonly op: 'delete'; readonly kind: K; readonly id: string };
}[RecordKind];

export interface DamagedRecord {
  readonly kind: string;
  readonly id: string;
  readonly reason: string;
}

/** Durable records. A commit resolves when it is on disk; commits are atomic and take effect in order. */
export interface RecordStore {
  /** Every intact record of a kind. Damaged ones are set aside and listed by `damaged`, never deleted. */
  list<K extends RecordKind>(kind: K): Promise<readonly RecordKinds[K][]>;
  /** All changes or none. */
  commit(changes: readonly RecordChange[]): Promise<void>;
  damaged(): Promise<readonly DamagedRecord[]>;
  /** Finishes what was handed in and closes the file. */
  close(): Promise<void>;
}
