/** Limits on what directories hold, with all that is made below them: the filesystem counts, and says when it is enough. Paths are absolute. */
export interface SizeLimits {
  /** Limits an empty directory; what is made in it counts from then on. */
  set(directory: string, bytes: number): void;
  /** Takes a limit back, before the directory goes. Nothing for one that has none, or is not there. */
  clear(directory: string): void;
}
