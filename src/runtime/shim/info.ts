import { execFile } from 'node:child_process';
import type { RuntimeInfo } from '../../core/ports/runtime.ts';
import type { ConfiguredRuntime } from './deps.ts';

interface Advisory {
  readonly runtime: 'crun' | 'runc';
  /** First version of the branch that this is about; the beginning when absent. */
  readonly from?: readonly [number, number, number];
  /** First version with the fix. */
  readonly fixed: readonly [number, number, number];
  readonly names: string;
}

/** Container escapes and the like that were fixed upstream. A distribution may have brought a fix to an older version. */
const advisories: readonly Advisory[] = [
  { runtime: 'runc', fixed: [1, 1, 12], names: 'CVE-2024-21626' },
  { runtime: 'runc', fixed: [1, 1, 14], names: 'CVE-2024-45310' },
  { runtime: 'runc', fixed: [1, 2, 8], names: 'CVE-2025-31133, CVE-2025-52565, CVE-2025-52881' },
  {
    runtime: 'runc',
    from: [1, 3, 0],
    fixed: [1, 3, 3],
    names: 'CVE-2025-31133, CVE-2025-52565, CVE-2025-52881',
  },
  { runtime: 'crun', fixed: [1, 20, 0], names: 'CVE-2025-24965' },
];

function isOlder(version: readonly number[], than: readonly number[]): boolean {
  for (let i = 0; i < than.length; i += 1) {
    const difference = (version[i] ?? 0) - (than[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** The warning for a runtime's `--version` output; pure. */
export function runtimeWarnings(kind: string, version: string): readonly string[] {
  const numbers = version.split(/[.+-]/).slice(0, 3).map(Number);
  if (numbers.some(Number.isNaN)) return [];
  const open = advisories.filter(
    ({ runtime, from, fixed }) =>
      runtime === kind && isOlder(numbers, fixed) && !(from && isOlder(numbers, from)),
  );
  if (open.length === 0) return [];
  const fixed = open.at(-1)?.fixed.join('.');
  const names = open.map((one) => one.names).join(', ');
  return [
    `${kind} ${version} is older than the fixes of ${names} (upstream ${fixed}; a distribution may have backported them)`,
  ];
}

/** Asks a runtime for its version. One that cannot be run is listed with what is wrong. */
export async function probeRuntime(runtime: ConfiguredRuntime): Promise<RuntimeInfo> {
  const { name, path } = runtime;
  return await new Promise((resolve) => {
    execFile(path, ['--version'], { timeout: 10_000 }, (error, stdout) => {
      const found = /^(\w+) version (\S+)/m.exec(stdout);
      const version = found?.[2] ?? '';
      if (error)
        resolve({
          name,
          path,
          version,
          warnings: [`${path} cannot be run: ${error.message.split('\n')[0]}`],
        });
      else resolve({ name, path, version, warnings: runtimeWarnings(found?.[1] ?? name, version) });
    });
  });
}
