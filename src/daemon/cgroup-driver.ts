/**
 * Who makes the containers' cgroups (`--exec-opt native.cgroupdriver=`): the OCI runtime in the cgroup filesystem itself, or systemd,
 * which the runtime and, for updates, this file ask.
 */

import { existsSync } from 'node:fs';
import { conflict, invalid } from '../core/errors.ts';
import type { CgroupLayout } from '../core/ports/host.ts';
import type { UnitChange } from '../core/ports/spec-builder.ts';
import { checkSlice, type CgroupHome, type ConfiguredRuntime, type RunProgram } from '../runtime/index.ts';
import { runProgram } from './run-program.ts';

export type CgroupDriver = 'cgroupfs' | 'systemd';

/** Of `--exec-opt`, in dockerd's words. */
export function parseExecOptions(options: readonly string[]): CgroupDriver {
  let driver: CgroupDriver = 'cgroupfs';
  for (const option of options) {
    const [key = '', value, ...more] = option.split('=');
    if (value === undefined || more.length > 0) throw invalid(`unable to parse key/value option: ${option}`);
    if (key.trim().toLowerCase() !== 'native.cgroupdriver')
      throw invalid(`--exec-opt: unknown option ${option}; the one there is is native.cgroupdriver`);
    if (value !== '' && value !== 'cgroupfs' && value !== 'systemd')
      throw invalid(`native.cgroupdriver option ${value} not supported`);
    driver = value || 'cgroupfs';
  }
  return driver;
}

const needs = '--exec-opt native.cgroupdriver=systemd';

/** `invalid` with a sentence where there is no systemd to ask. */
export function checkSystemd(layout: Pick<CgroupLayout, 'version'>, exists = existsSync): void {
  if (!exists('/run/systemd/system'))
    throw invalid(`${needs}: systemd does not run this host; leave the option out`);
  if (!exists('/run/dbus/system_bus_socket'))
    throw invalid(
      `${needs}: systemd is asked over the system bus, and there is none; install and start dbus`,
    );
  if (layout.version !== 2)
    throw invalid(`${needs}: only with cgroup v2 alone; this host has cgroup v1 mounted`);
}

/** Where containers are that name no parent. */
export function cgroupHome(driver: CgroupDriver, instance: string, parent: string | undefined): CgroupHome {
  if (driver === 'cgroupfs') return { cgroupParent: parent ?? `/${instance}` };
  if (parent !== undefined) checkSlice(parent);
  return { cgroupParent: parent ?? 'system.slice', scopePrefix: instance };
}

export function drivenBy(
  driver: CgroupDriver,
  runtimes: readonly ConfiguredRuntime[],
): readonly ConfiguredRuntime[] {
  if (driver === 'cgroupfs') return runtimes;
  return runtimes.map((runtime) => ({ ...runtime, args: [...(runtime.args ?? []), '--systemd-cgroup'] }));
}

/**
 * Tells systemd of limits that changed; for as long as the unit lives. A scope goes with its last process: one that is gone has nothing
 * left to limit. `conflict` with systemd's own words.
 */
export async function changeUnit(
  { unit, properties }: UnitChange,
  run: RunProgram = runProgram,
): Promise<void> {
  const { status, stderr } = await run('systemctl', ['set-property', '--runtime', unit, ...properties]);
  if (status === 0 || stderr.includes(`Unit ${unit} not found`)) return;
  throw conflict(`systemd does not take the limits of ${unit}: ${stderr.trim()}`);
}
