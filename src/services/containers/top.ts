import { readFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Ctx } from '../../core/ctx.ts';
import { conflict, internal, invalid } from '../../core/errors.ts';
import { isActive, type ContainerRecord } from '../../core/model/container.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import type { TopResult } from './types.ts';

const run = promisify(execFile);
const maxOutput = 16 * 1024 * 1024;

/** Host pids of everything in the container's cgroup. */
export async function containerPids(room: Room, record: ContainerRecord): Promise<readonly number[]> {
  for (const directory of room.specs.cgroupPaths(record)) {
    const text = await readFile(join(directory, 'cgroup.procs'), 'utf8').catch(() => '');
    const pids = text
      .split('\n')
      .filter((line) => line !== '' && line !== '0')
      .map(Number);
    if (pids.length > 0) return pids;
  }
  return [];
}

// `ps` runs on the host as root: an option that reads files or changes the selection is not for an API client to give.
const safeArguments = /^[\w ,=%+.:-]*$/;

/** Keeps the rows of these pids; the last column holds spaces. Pure. */
export function parsePs(output: string, pids: ReadonlySet<number>): TopResult {
  const [header = '', ...lines] = output.split('\n').filter((line) => line !== '');
  const titles = header.trim().split(/\s+/);
  const pidColumn = titles.indexOf('PID');
  if (pidColumn < 0) throw internal(`Couldn't find PID field in ps output`);
  const processes = lines.flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    if (!pids.has(Number(fields[pidColumn]))) return [];
    const row = fields.slice(0, titles.length - 1);
    return [[...row, fields.slice(titles.length - 1).join(' ')]];
  });
  return { titles, processes };
}

/** What `ps` said first; the rest is its usage. */
function firstLine(error: unknown): string {
  const { stderr } = error as { readonly stderr?: string };
  const said = (stderr ?? '').split('\n').find((line) => line !== '');
  return said ?? (error instanceof Error ? error.message : String(error));
}

/** What runs in a container, as the host's `ps` tells it. */
export async function topContainer(
  room: Room,
  ctx: Ctx,
  ref: string,
  psArguments: string,
): Promise<TopResult> {
  const { record } = room.table.resolve(ref);
  if (record.state.status === 'restarting')
    throw conflict(`Container ${record.id} is restarting, wait until the container is running`);
  if (!isActive(record.state)) throw conflict(`container ${record.id} is not running`);
  const given = psArguments.trim() === '' ? '-ef' : psArguments.trim();
  if (!safeArguments.test(given)) throw invalid(`ps arguments are not allowed: ${given}`);
  const pids = new Set(await containerPids(room, record));
  let output: string;
  try {
    ({ stdout: output } = await run('ps', given.split(/\s+/), { maxBuffer: maxOutput, signal: ctx.signal }));
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    throw invalid(`ps: ${firstLine(error)}`, error);
  }
  emitContainer(room, record, 'top');
  return parsePs(output, pids);
}
