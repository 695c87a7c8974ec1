/** The files that a shim leaves: `exit record` on the data root and `shim.json` in the bundle. Parsed here, trusted nowhere. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TaskExit } from '../../core/ports/runtime.ts';

function readJson(path: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The exit record, or undefined when there is none or it is damaged. */
export function readExitRecord(path: string): TaskExit | undefined {
  const record = readJson(path);
  if (!record || typeof record['exitCode'] !== 'number' || typeof record['exitedAtNano'] !== 'string')
    return undefined;
  if (!/^\d+$/.test(record['exitedAtNano'])) return undefined;
  return {
    exitCode: record['exitCode'],
    exitedAtNano: BigInt(record['exitedAtNano']),
    oomKilled: record['oomKilled'] === true,
  };
}

export interface ShimRecord {
  readonly shimPid: number;
  readonly shimStartTicks: string;
  readonly pid: number;
  readonly pidStartTicks: string;
}

export function readShimRecord(bundle: string): ShimRecord | undefined {
  const record = readJson(join(bundle, 'shim.json'));
  if (!record) return undefined;
  const { shimPid, shimStartTicks, pid, pidStartTicks } = record;
  if (typeof shimPid !== 'number' || typeof pid !== 'number') return undefined;
  if (typeof shimStartTicks !== 'string' || typeof pidStartTicks !== 'string') return undefined;
  return { shimPid, shimStartTicks, pid, pidStartTicks };
}
