import type { Host } from '../../core/ports/host.ts';
import type { Logger } from '../../core/log.ts';
import { invalid } from '../../core/errors.ts';
import type { ConfiguredRuntime } from './configured-runtime.ts';
import type { ShimControl } from './control.ts';
import type { CheckpointSupport } from './criu.ts';
import type { ShimPaths } from './paths.ts';

export type { ConfiguredRuntime };

/** What the functions of this room work with. */
export interface ShimDeps {
  readonly host: Host;
  /** Absolute path of slipway-shim. */
  readonly shimPath: string;
  readonly runtimes: ReadonlyMap<string, ConfiguredRuntime>;
  readonly paths: ShimPaths;
  readonly checkpoints: CheckpointSupport;
  readonly log: Logger;
  /** Connections to shims of this daemon, by container id, until they are released. */
  readonly controls: Map<string, ShimControl>;
}

export function runtimeNamed(deps: ShimDeps, name: string): ConfiguredRuntime {
  const runtime = deps.runtimes.get(name);
  if (!runtime) throw invalid(`unknown or invalid runtime name: ${name}`);
  return runtime;
}

const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The environment of a runtime, and of the shim that starts it; the container's is in its spec. `first` is searched for programs
 * before all others: where criu is.
 */
export function runtimeEnvironment(runtime: ConfiguredRuntime, first?: string): readonly string[] {
  const { libraryPath } = runtime;
  return [
    `PATH=${first === undefined ? '' : `${first}:`}${searchPath}`,
    ...(libraryPath === undefined ? [] : [`LD_LIBRARY_PATH=${libraryPath}`]),
  ];
}

/** crun and runc: what they leave is known, so it is removed without calling them. */
export function isKnownKind(runtime: ConfiguredRuntime): boolean {
  return /(^|\/)(crun|runc)[^/]*$/.test(runtime.path);
}
