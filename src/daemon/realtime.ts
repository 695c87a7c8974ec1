/** Real-time time for containers (`--cpu-rt-runtime`): on cgroup v1 a group may only give what its parents were given. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { invalid } from '../core/errors.ts';
import type { CgroupLayout } from '../core/ports/host.ts';
import type { ContainerDefaults } from './container-defaults.ts';

/** Gives the cgroup that holds all containers its share. `invalid` with a sentence when this host cannot. */
export function prepareRealtime(
  layout: CgroupLayout,
  parent: string,
  defaults: Pick<ContainerDefaults, 'cpuRealtimeRuntime' | 'cpuRealtimePeriod'>,
): void {
  const { cpuRealtimeRuntime: runtime, cpuRealtimePeriod: period } = defaults;
  if (runtime === 0 && period === 0) return;
  const root = layout.controllers['cpu'];
  if (root === undefined)
    throw invalid(
      '--cpu-rt-runtime: the cgroups of this host have no real-time scheduling (it is one of cgroup v1)',
    );
  let directory = root;
  for (const part of parent.split('/').filter((name) => name !== '')) {
    directory = join(directory, part);
    mkdirSync(directory, { recursive: true });
    try {
      if (period !== 0) writeFileSync(join(directory, 'cpu.rt_period_us'), String(period));
      if (runtime !== 0) writeFileSync(join(directory, 'cpu.rt_runtime_us'), String(runtime));
    } catch (error) {
      throw invalid(
        `--cpu-rt-runtime: ${directory} does not take ${runtime} of ${period || 1_000_000} microseconds`,
        error,
      );
    }
  }
}
