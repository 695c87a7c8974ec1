import type { StringMap } from '../model/container-spec.ts';

/** Where volumes live. */
export interface VolumeDriver {
  readonly name: string;
  /** Checks options (`type`, `o`, `device` of the local driver). `invalid` with Docker's wording. Pure. */
  validate(options: StringMap): void;
  /** Makes the volume's directory and returns the path of its data; a second call returns the same. */
  create(name: string, options: StringMap): Promise<{ mountpoint: string }>;
  /** Makes the data reachable (mounts NFS and the like where the options ask for it). */
  mount(name: string, options: StringMap): Promise<{ path: string }>;
  /** Idempotent. */
  unmount(name: string, options: StringMap): Promise<void>;
  /** Idempotent. */
  remove(name: string): Promise<void>;
  /** As `remove` for one that holds nothing; nothing for any other. */
  removeEmpty(name: string): Promise<void>;
  list(): Promise<readonly string[]>;
  /**
   * Copies the content of a directory into a volume that is still empty, with the directory's own owner, mode and time.
   * No-op when the volume holds something.
   */
  fill(name: string, from: string): Promise<void>;
  /** Bytes used. */
  usage(name: string): Promise<number>;
}
