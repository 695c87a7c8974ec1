/**
 * The Runtime port over slipway-shim: starts a shim per container, talks to it over sockets, finds it again after a restart of the
 * daemon. Built by the composition root, called by the containers service.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../core/log.ts';
import type { Host } from '../../core/ports/host.ts';
import type { Runtime } from '../../core/ports/runtime.ts';
import { cleanupTask } from './cleanup.ts';
import { CheckpointSupport } from './criu.ts';
import type { ConfiguredRuntime, ShimDeps } from './deps.ts';
import { probeRuntime } from './info.ts';
import { shimPaths } from './paths.ts';
import { recoverTask } from './recover.ts';
import { startTask } from './start.ts';

export interface ShimRuntimeOptions {
  readonly host: Host;
  readonly shimPath: string;
  readonly runtimes: readonly ConfiguredRuntime[];
  /** The run root. */
  readonly runDir: string;
  /** Parent of the containers' bundles; `<runDir>/bundles` by default. */
  readonly bundleDirectory?: string;
  /** Path of criu, asked each time; without it containers cannot be checkpointed. */
  readonly findCriu?: () => string | undefined;
  readonly log: Logger;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Makes the directories and asks each runtime for its version. */
export async function createRuntime(options: ShimRuntimeOptions): Promise<Runtime> {
  const paths = shimPaths(options.runDir, options.bundleDirectory ?? join(options.runDir, 'bundles'));
  const runtimes = new Map(options.runtimes.map((runtime) => [runtime.name, runtime]));
  const checkpoints = new CheckpointSupport(
    options.findCriu ?? (() => undefined),
    runtimes,
    () => options.host.cgroupLayout().version === 2,
  );
  const deps: ShimDeps = {
    host: options.host,
    shimPath: options.shimPath,
    runtimes,
    checkpoints,
    paths,
    log: options.log,
    controls: new Map(),
  };
  const roots = options.runtimes.map((runtime) => paths.runtimeRoot(runtime.name));
  for (const directory of [paths.socketDirectory, paths.bundleDirectory, ...roots]) {
    mkdirSync(directory, { recursive: true, mode: 0o711 });
  }
  const infos = await Promise.all(options.runtimes.map(probeRuntime));
  return {
    start: (ctx, spec) => startTask(deps, ctx, spec),
    recover: (ctx, input) => recoverTask(deps, ctx, input),
    cleanup: (ctx, input) => cleanupTask(deps, ctx, input),
    list: async () => [...new Set([paths.bundleDirectory, ...roots].flatMap(namesIn))],
    info: () => infos,
    checkpointProblem: (name) => checkpoints.problem(name),
  };
}

export type { ConfiguredRuntime } from './deps.ts';
