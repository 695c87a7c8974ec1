/** The parts of the suite in `guest/`, and which of them run when only what failed is run again. */

import type { TestFailure } from '../../scripts/tests/count-reporter.ts';
import type { TapResult } from './tap.ts';

/** In this order, as a person would go on. */
export const allParts: readonly string[] = [
  'service',
  'containers',
  'network',
  'limits',
  'devices',
  'apparmor',
  'life',
  'systemd-cgroups',
  'userns',
  'checkpoint',
  'restart',
  'storage',
  'contracts',
  'removal',
];

/** Parts whose containers, networks or functions others use; all use `service`. */
const needs: Readonly<Record<string, readonly string[]>> = {
  apparmor: ['limits'],
  userns: ['systemd-cgroups'],
  restart: ['network'],
  removal: ['network'],
};

export interface PartResult {
  readonly name: string;
  readonly passed: number;
  readonly failures: readonly TestFailure[];
}

/** How a machine's run went; kept in a file, for the run that repeats what failed. */
export interface MachineResult {
  readonly machine: string;
  readonly parts: readonly PartResult[];
  /** Why the machine ended before its suite did, with its console; then what came after its last part is missing. */
  readonly brokenOff?: string;
}

/** The results of the parts that a machine told about, and of its end. */
export function machineResult(machine: string, tap: TapResult, brokenOff: string | undefined): MachineResult {
  const parts = tap.parts.map(({ name, passed, failures }) => ({
    name,
    passed,
    failures: failures.map((failure) => ({
      file: 'tests/vm',
      name: failure.name,
      message: failure.detail,
    })),
  }));
  return { machine, parts, ...(brokenOff === undefined ? {} : { brokenOff }) };
}

/**
 * The parts that failed, with what they need; from the last one on when the machine broke off; all if none of them is known by
 * name. Empty if nothing failed.
 */
export function partsAgain(result: MachineResult, wanted: readonly string[]): readonly string[] {
  const failed = result.parts.filter(({ failures }) => failures.length > 0).map(({ name }) => name);
  const last = result.parts.at(-1)?.name ?? '';
  const after = result.brokenOff === undefined ? [] : wanted.slice(Math.max(0, wanted.indexOf(last)));
  const chosen = new Set([...failed, ...after]);
  if (chosen.size === 0) return [];
  if (!wanted.some((name) => chosen.has(name))) return wanted;
  for (const name of chosen) for (const needed of needs[name] ?? []) chosen.add(needed);
  if (wanted.includes('service')) chosen.add('service');
  return wanted.filter((name) => chosen.has(name));
}

/** The first run's results with those of the second for the parts that were repeated. */
export function merged(first: MachineResult, second: MachineResult): MachineResult {
  const again = new Set(second.parts.map(({ name }) => name));
  const parts = [...first.parts.filter(({ name }) => !again.has(name)), ...second.parts];
  const { brokenOff } = second;
  return { machine: first.machine, parts, ...(brokenOff === undefined ? {} : { brokenOff }) };
}
