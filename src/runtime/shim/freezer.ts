import { constants, existsSync } from 'node:fs';
import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { internal, isErrno } from '../../core/errors.ts';

interface Freezer {
  readonly file: string;
  readonly frozen: string;
  readonly thawed: string;
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
      return { file: state, frozen: 'FROZEN', thawed: 'THAWED', isFrozen };
    }
  }
  for (const path of cgroupPaths) {
    const freeze = join(path, 'cgroup.freeze');
    if (await exists(freeze)) {
      const events = join(path, 'cgroup.events');
      const isFrozen = async (): Promise<boolean> => (await readFile(events, 'utf8')).includes('frozen 1');
      return { file: freeze, frozen: '1', thawed: '0', isFrozen };
    }
  }
  return undefined;
}

/** systemd takes a scope away with its last process: a group that is gone has nothing frozen. */
const isGone = (error: unknown): boolean => isErrno(error, 'ENOENT') || isErrno(error, 'ENODEV');

const patienceMs = 10_000;

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

async function reach(freezer: Freezer, frozen: boolean): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 50)) {
    // v1 can stay FREEZING for ever when a task forks at the wrong moment; writing again frees it.
    await writeFile(freezer.file, frozen ? freezer.frozen : freezer.thawed);
    if ((await freezer.isFrozen()) === frozen) return;
    if (Date.now() > deadline) {
      if (frozen) await writeFile(freezer.file, freezer.thawed);
      throw internal(`the kernel did not ${frozen ? 'freeze' : 'thaw'} ${freezer.file} within 10 s`);
    }
    await delay(waitMs);
  }
}
