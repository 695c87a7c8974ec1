import { join } from 'node:path';

/** Where the shim room keeps its files. The run root is a tmpfs: nothing here outlives the machine's boot. */
export interface ShimPaths {
  readonly socketDirectory: string;
  /** Bundles are below it, one directory a container, named by its id. */
  readonly bundleDirectory: string;
  socket(containerId: string): string;
  runtimeRoot(runtime: string): string;
  /** What a checkpoint of this container needs while it is made. */
  checkpointRoot(containerId: string): string;
}

/** Bytes of a unix socket's path, and what the shim appends for console sockets (`.65535`). */
const maxSocketPath = 107 - 6;

export function shimPaths(runDir: string, bundleDirectory: string): ShimPaths {
  const socketDirectory = join(runDir, 'shim');
  return {
    socketDirectory,
    bundleDirectory,
    socket: (containerId) => {
      const room = maxSocketPath - socketDirectory.length - '/.sock'.length;
      // 24 hex digits are 96 bits: shortening for deep run roots never meets two containers of one engine.
      return join(socketDirectory, `${containerId.slice(0, Math.max(24, Math.min(64, room)))}.sock`);
    },
    checkpointRoot: (containerId) => join(runDir, 'checkpoint', containerId),
    runtimeRoot: (runtime) => join(runDir, runtime === 'crun' ? 'crun' : `runtime-${runtime}`),
  };
}
