/** Subvolumes of btrfs: directories that can be copied as a whole, in no time, sharing all their blocks. Paths are absolute. */
export interface Subvolumes {
  /** An empty one. */
  create(path: string): Promise<void>;
  /** `source` is one; `target` does not exist. */
  snapshot(source: string, target: string): Promise<void>;
}
