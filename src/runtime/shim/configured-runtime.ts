/** An OCI runtime that the daemon was configured with. */
export interface ConfiguredRuntime {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  /** What to run instead, where there is a read-only view of the same program. */
  readonly startPath?: string;
  /** Options before the command (`--systemd-cgroup`). */
  readonly args?: readonly string[];
  /** Where the loader looks for its libraries first. */
  readonly libraryPath?: string;
  /** A library to load into it for an exec with a terminal, which else gets its size after the program began (native/console-size). */
  readonly execPreload?: string;
}
