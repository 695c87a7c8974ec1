/** Subvolumes of btrfs: directories that can be copied as a whole, in no time, sharing all their blocks. Paths are absolute. */
export interface Subvolumes {
  /** An empty one. */
  create(path: string): Promise<void>;
  /** `source` is one; `target` does not exist. */
  snapshot(source: string, target: string): Promise<void>;
  /** Bytes that one may hold, with what it shares. Turns counting on for the whole filesystem, at the first time. */
  limit(path: string, bytes: number): Promise<void>;
}
