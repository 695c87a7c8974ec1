/** An engine that finds a working criu, and a container that counts on its output. */

import { dirname } from 'node:path';
import { workingCriu } from '../helpers/criu.ts';
import { eventually, startEngine, type Engine } from '../scenarios/engine.ts';

/** With criu on its PATH. */
export async function startCheckpointEngine(args: readonly string[] = []): Promise<Engine> {
  const criu = dirname(await workingCriu());
  if (process.env['PATH']?.startsWith(`${criu}:`) !== true)
    process.env['PATH'] = `${criu}:${process.env['PATH'] ?? ''}`;
  return await startEngine({ args });
}

const count = 'i=0; trap "exit 7" TERM; while true; do i=$((i+1)); echo n $i; sleep 0.1; done';

export async function runCounter(engine: Engine, name: string, ...options: string[]): Promise<void> {
  const args = ['run', '-d', '--name', name, '--runtime', 'runc', ...options, 'busybox', 'sh', '-c', count];
  await engine.ok('slipway', args);
  await reaches(engine, name, 2);
}

/** The numbers of its log, in order. */
export async function counted(engine: Engine, name: string): Promise<readonly number[]> {
  const log = await engine.ok('slipway', ['logs', name]);
  return log.split(/\r?\n/).map((line) => Number(line.slice(2)));
}

/** Waits until it has counted to `wanted`; its numbers then. */
export async function reaches(engine: Engine, name: string, wanted: number): Promise<readonly number[]> {
  return await eventually(`${name} counted to ${wanted}`, async () => {
    const numbers = await counted(engine, name);
    return (numbers.at(-1) ?? 0) >= wanted ? numbers : undefined;
  });
}
