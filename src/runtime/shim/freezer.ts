import { constants, existsSync } from 'node:fs';
import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { internal, isErrno } from '../../core/errors.ts';

export interface Freezer {
  readonly file: string;
  /** Asks the kernel, which says when it is so by `isFrozen`. */
  set(frozen: boolean): Promise<void>;
  isFrozen(): Promise<boolean>;
}

async function exists(path: string): Promise<boolean> {
  return await access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}

/** cgroup v1 has `freezer.state` in the freezer hierarchy, v2 `cgroup.freeze` in the one there is; undefined where neither is. */
async function findFreezer(cgroupPaths: readonly string[]): Promise<Freezer | undefined> {
  for (const path of cgroupPaths) {
    const state = join(path, 'freezer.state');
    if (await exists(state)) {
      const isFrozen = async (): Promise<boolean> => (await readFile(state, 'utf8')).trim() === 'FROZEN';
      const set = (frozen: boolean): Promise<void> => writeFile(state, frozen ? 'FROZEN' : 'THAWED');
      return { file: state, set, isFrozen };
    }
  }
  for (const path of cgroupPaths) {
    const freeze = join(path, 'cgroup.freeze');
    if (await exists(freeze)) {
      const events = join(path, 'cgroup.events');
      const isFrozen = async (): Promise<boolean> => (await readFile(events, 'utf8')).includes('frozen 1');
      const set = (frozen: boolean): Promise<void> => writeFile(freeze, frozen ? '1' : '0');
      return { file: freeze, set, isFrozen };
    }
  }
  return undefined;
}

/** systemd takes a scope away with its last process: a group that is gone has nothing frozen. */
const isGone = (error: unknown): boolean => isErrno(error, 'ENOENT') || isErrno(error, 'ENODEV');

const patienceMs = 10_000;
/** After so many tries, some half a second, it is thawed and frozen anew. */
const triesInOneGo = 16;

/** Freezes or thaws, and waits until the kernel says so: tasks in a system call freeze late, and have no event to wait for on v1. */
export async function setFrozen(cgroupPaths: readonly string[], frozen: boolean): Promise<void> {
  const freezer = await findFreezer(cgroupPaths);
  if (freezer === undefined) {
    if (!frozen && !cgroupPaths.some((path) => existsSync(path))) return;
    throw internal('cannot pause: none of the cgroups of the container has a freezer');
  }
  try {
    await reach(freezer, frozen);
  } catch (error) {
    if (frozen || !isGone(error)) throw error;
  }
}

/** Asks and asks again until the kernel has done it; a failure after ten seconds leaves it thawed. */
export async function reach(freezer: Freezer, frozen: boolean): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (let tries = 1, waitMs = 1; ; tries += 1, waitMs = Math.min(waitMs * 2, 50)) {
    // v1 can stay FREEZING for ever when a task forks or waits at the wrong moment: asking again frees most, a thaw between the rest.
    if (frozen && tries % triesInOneGo === 0) await freezer.set(false);
    await freezer.set(frozen);
    if ((await freezer.isFrozen()) === frozen) return;
    if (Date.now() > deadline) {
      if (frozen) await freezer.set(false);
      throw internal(`the kernel did not ${frozen ? 'freeze' : 'thaw'} ${freezer.file} within 10 s`);
    }
    await delay(waitMs);
  }
}
