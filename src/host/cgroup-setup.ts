/**
 * What the daemon changes in the host's cgroup mounts when it starts, each an option, logged, and recorded in a file so
 * that `clean` takes back what was done and nothing else:
 * - crun refuses a hybrid layout while the v2 hierarchy still has controllers; each such controller gets a v1 mount, as
 *   the cgroupfs-mount package makes them at boot;
 * - `favordynmods` removes an RCU grace period (7 to 15 ms) from the first process that enters a new cgroup. The switch
 *   is one for the whole kernel, so setting it on the v2 hierarchy serves v1 hosts too. Kernel 6.0 and later.
 */

import { mkdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Ctx } from '../core/ctx.ts';
import type { CgroupLayout, Host, MountPoint, MountRequest } from '../core/ports/host.ts';

export interface CgroupSetupOptions {
  readonly mountMissing: boolean;
  readonly favorDynmods: boolean;
  /** Where what was done is written down (below the run root: a reboot undoes it all). */
  readonly recordPath: string;
}

export interface CgroupSetupPlan {
  /** v1 controllers to mount, and where. */
  readonly mounts: readonly { readonly controller: string; readonly target: string }[];
  /** The v2 mount point to remount with `options`; undefined where there is nothing to change. */
  readonly favor: Remount | undefined;
}

/** What a remount must give again so that nothing else changes: flags of the mount point and of the filesystem. */
interface Remount {
  readonly target: string;
  readonly flags: readonly string[];
  readonly options: readonly string[];
}

interface CgroupRecord {
  readonly mounted: readonly string[];
  readonly favored: Remount | undefined;
}

type Deps = Pick<Host, 'mount' | 'unmount' | 'mounts' | 'cgroupLayout'>;

/** v2 names that v1 knows under another one; v2-only controllers map to nothing. */
const v1Name: Readonly<Record<string, string>> = { io: 'blkio', dmem: '' };

const mountFlags = new Set(['ro', 'nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'relatime']);
const v2Flags = new Set([
  'nsdelegate',
  'memory_localevents',
  'memory_recursiveprot',
  'memory_hugetlb_accounting',
  'pids_localevents',
]);

/** Pure. `v2Controllers` is the content of `cgroup.controllers` at the v2 root. */
export function planCgroupSetup(
  layout: CgroupLayout,
  mounts: readonly MountPoint[],
  v2Controllers: string,
  wanted: { readonly mountMissing: boolean; readonly favorDynmods: boolean },
): CgroupSetupPlan {
  const { unified } = layout;
  if (unified === undefined) return { mounts: [], favor: undefined };
  const missing =
    wanted.mountMissing && layout.version === 'hybrid'
      ? v2Controllers
          .split(/\s+/)
          .map((name) => v1Name[name] ?? name)
          .filter((name) => name !== '' && layout.controllers[name] === undefined)
      : [];
  const current = mounts.find((mount) => mount.fstype === 'cgroup2' && mount.target === unified);
  const options = (current?.options ?? '').split(',');
  const favor =
    wanted.favorDynmods && !options.includes('favordynmods')
      ? {
          target: unified,
          flags: (current?.mountOptions ?? '').split(',').filter((flag) => mountFlags.has(flag)),
          options: options.filter((option) => v2Flags.has(option)),
        }
      : undefined;
  const parent = dirname(unified);
  return {
    mounts: missing.map((controller) => ({ controller, target: join(parent, controller) })),
    favor,
  };
}

async function readRecord(path: string): Promise<CgroupRecord> {
  try {
    const record = JSON.parse(await readFile(path, 'utf8')) as Partial<CgroupRecord>;
    return { mounted: record.mounted ?? [], favored: record.favored };
  } catch {
    return { mounted: [], favored: undefined };
  }
}

async function writeRecord(path: string, record: CgroupRecord): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, JSON.stringify(record));
  await rename(`${path}.new`, path);
}

/** Runs one change; a refusal is logged and the engine goes on without it (another runtime, a slower start). */
async function attempt(ctx: Ctx, what: string, change: () => Promise<void>): Promise<boolean> {
  try {
    await change();
    ctx.log.info(`cgroups: ${what}`);
    return true;
  } catch (error) {
    ctx.log.warn(`cgroups: cannot ${what}`, { error });
    return false;
  }
}

function remount({ target, flags, options }: Remount, more: readonly string[]): MountRequest {
  const data = [...options, ...more].join(',');
  return { source: 'none', target, fstype: 'cgroup2', flags: ['remount', ...flags], data };
}

/** Does what is missing; doing it again changes nothing. The record is written before each change. */
export async function setUpCgroups(deps: Deps, ctx: Ctx, options: CgroupSetupOptions): Promise<void> {
  const layout = deps.cgroupLayout();
  if (layout.unified === undefined) return;
  const mounts = await deps.mounts(layout.unified);
  const v2Controllers = await readFile(join(layout.unified, 'cgroup.controllers'), 'utf8').catch(() => '');
  const plan = planCgroupSetup(layout, mounts, v2Controllers, options);
  let record = await readRecord(options.recordPath);
  for (const { controller, target } of plan.mounts) {
    record = { ...record, mounted: [...new Set([...record.mounted, target])] };
    await writeRecord(options.recordPath, record);
    await attempt(ctx, `mount the v1 controller ${controller} at ${target}`, async () => {
      await mkdir(target, { recursive: true });
      try {
        await deps.mount({ source: 'cgroup', target, fstype: 'cgroup', flags: [], data: controller });
      } catch (error) {
        await rmdir(target).catch(() => {});
        throw error;
      }
    });
  }
  const { favor } = plan;
  if (favor === undefined) return;
  await writeRecord(options.recordPath, { ...record, favored: favor });
  const done = await attempt(ctx, `remount ${favor.target} with favordynmods`, () =>
    deps.mount(remount(favor, ['favordynmods'])),
  );
  if (!done) await writeRecord(options.recordPath, record);
}

/** Takes back what the record names; succeeds when there is none. For `clean`, after the last container is gone. */
export async function undoCgroupSetup(deps: Deps, ctx: Ctx, recordPath: string): Promise<void> {
  const record = await readRecord(recordPath);
  const { favored } = record;
  if (favored !== undefined) {
    await attempt(ctx, `remount ${favored.target} without favordynmods`, () =>
      deps.mount(remount(favored, [])),
    );
  }
  for (const target of record.mounted) {
    await attempt(ctx, `unmount ${target}`, async () => {
      await deps.unmount(target);
      await rmdir(target).catch(() => {});
    });
  }
  await rm(recordPath, { force: true });
}
