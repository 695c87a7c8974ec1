import type { StringMap } from './container-spec.ts';

export interface VolumeRecord {
  readonly name: string;
  readonly driver: string;
  readonly options: StringMap;
  readonly labels: StringMap;
  /** RFC 3339. */
  readonly createdAt: string;
  /** Host path of the data. */
  readonly mountpoint: string;
  /** Whether the engine made up its name for a container. */
  readonly anonymous: boolean;
  /** Set while its data is being removed: a daemon that finds it so finishes that. */
  readonly removing?: true;
}
