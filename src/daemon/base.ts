/**
 * What every room is built from: the options, the kernel, the storage, the OCI runtimes and the log drivers, opened in
 * the order in which they need each other.
 */

import { chmodSync, mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { backgroundCtx, type Ctx } from '../core/ctx.ts';
import { invalid } from '../core/errors.ts';
import { EventBus } from '../core/events.ts';
import { newId } from '../core/ids.ts';
import type { Logger } from '../core/log.ts';
import { rootOf } from '../core/model/id-mapping.ts';
import type { LogDriver } from '../core/ports/log-driver.ts';
import type { RecordStore } from '../core/ports/record-store.ts';
import type { SnapshotDriver } from '../core/ports/snapshot-driver.ts';
import {
  createHost,
  makeInPlaceFile,
  openProjectQuotas,
  openUnixDatagram,
  setUpCgroups,
  subvolumes,
  trimHeap,
  type KernelHost,
} from '../host/index.ts';
import { createLogDrivers } from '../logs/index.ts';
import {
  compileUsualFilters,
  createRuntime,
  createSpecBuilder,
  goArch,
  readMachineFacts,
} from '../runtime/index.ts';
import {
  chooseDriver,
  closeMappedView,
  openBtrfs,
  openContentStore,
  openLocalVolumes,
  openOverlay2,
  openSqliteRecords,
  openTrash,
  openVfs,
  StorageWorkers,
  type Remap,
  type SnapshotDriverName,
  type Trash,
} from '../storage/index.ts';
import { loadAppArmorProfile } from './apparmor.ts';
import { cgroupHome, checkSystemd, drivenBy } from './cgroup-driver.ts';
import { unifiedControllers } from './cgroup-facts.ts';
import { guardRuntimes } from './guard-runtimes.ts';
import { refuseChroot } from './refuse-chroot.ts';
import { lightenRuntimes, sizeConsoles } from './light-runtimes.ts';
import type { DaemonOptions } from './options.ts';
import { locatePrograms, type Programs } from './programs.ts';
import { prepareRealtime } from './realtime.ts';
import { checkReachable, hostAccounts, resolveRemap } from './remap.ts';
import { checkWritableSize } from './storage-driver.ts';
import { chooseDefault, configuredRuntimes, findProgram, seccompCaches } from './runtimes.ts';

/** The engine's own id, made at the first start. */
async function engineId(records: RecordStore): Promise<string> {
  const known = (await records.list('meta')).find((record) => typeof record['engineId'] === 'string');
  if (known !== undefined) return String(known['engineId']);
  const id = newId();
  await records.commit([{ op: 'put', kind: 'meta', id: 'engine', record: { engineId: id } }]);
  return id;
}

function makeRoots(options: DaemonOptions): { readonly dataRoot: string; readonly runRoot: string } {
  for (const directory of [options.dataRoot, join(options.dataRoot, 'containers'), options.runRoot]) {
    mkdirSync(directory, { recursive: true, mode: 0o711 });
  }
  return { dataRoot: realpathSync(options.dataRoot), runRoot: realpathSync(options.runRoot) };
}

async function openSnapshots(
  deps: { host: KernelHost; workers: StorageWorkers; trash: Trash; log: Logger },
  dataRoot: string,
  remap: Remap | undefined,
  asked: SnapshotDriverName | undefined,
): Promise<SnapshotDriver> {
  const name = await chooseDriver(deps, dataRoot, asked);
  const limits = openProjectQuotas(dataRoot);
  if (name === 'overlay2') return openOverlay2({ ...deps, limits, remap }, dataRoot);
  if (remap !== undefined)
    throw invalid(`storage driver ${name}: containers with user namespaces need the driver overlay2`);
  return name === 'btrfs'
    ? openBtrfs({ ...deps, subvolumes }, dataRoot)
    : openVfs({ ...deps, limits }, dataRoot);
}

async function openStorage(
  host: KernelHost,
  log: Logger,
  dataRoot: string,
  remap: Remap | undefined,
  driver: SnapshotDriverName | undefined,
) {
  const workers = new StorageWorkers({
    attributesUrl: new URL('../host/file-attributes.ts', import.meta.url),
    onThreadEnd: trimHeap,
  });
  const trash = await openTrash({ workers, log }, join(dataRoot, 'trash'));
  const [records, blobs, snapshots, volumes] = await Promise.all([
    openSqliteRecords({ path: join(dataRoot, 'state.db'), makeInPlaceFile }),
    openContentStore({ workers }, join(dataRoot, 'content')),
    openSnapshots({ host, workers, trash, log }, dataRoot, remap, driver),
    openLocalVolumes({ host, workers, trash, owner: remap && rootOf(remap.mapping) }, dataRoot),
  ]);
  return { workers, trash, records, blobs, snapshots, volumes };
}

async function openRuntimes(
  ctx: Ctx,
  host: KernelHost,
  options: DaemonOptions,
  runRoot: string,
  programs: Programs,
) {
  const { containerDefaults: defaults } = options;
  const layout = host.cgroupLayout();
  if (defaults.cgroupDriver === 'systemd') checkSystemd(layout);
  const home = cgroupHome(defaults.cgroupDriver, options.instance, defaults.cgroupParent);
  const configured = drivenBy(defaults.cgroupDriver, configuredRuntimes(options));
  const guarded = await guardRuntimes(host, ctx, configured, runRoot);
  const [sized] = await Promise.all([
    sizeConsoles(guarded, programs.consoleSize),
    refuseChroot(programs.shim),
  ]);
  const runtimes = await lightenRuntimes(sized, programs.noSystemd);
  const name = chooseDefault(options, runtimes, layout, unifiedControllers(layout));
  const runtime = await createRuntime({
    host,
    shimPath: programs.shim,
    runtimes,
    runDir: runRoot,
    findCriu: () => findProgram('criu'),
    log: ctx.log,
  });
  prepareRealtime(layout, home.cgroupParent, defaults);
  const facts = readMachineFacts(layout, home, await loadAppArmorProfile(ctx.log, runRoot));
  const caches = await seccompCaches(ctx, {
    runtimes,
    infos: runtime.info(),
    facts,
    runRoot,
    probeProgram: programs.shim,
  });
  const specs = createSpecBuilder({
    facts,
    seccompCaches: caches,
    cdiDirectories: options.cdiSpecDirs,
    defaults,
  });
  const usualFilters = compileUsualFilters(ctx, { facts, seccompCaches: caches }).catch((error: unknown) =>
    ctx.log.warn('the usual seccomp filter is not compiled ahead', { error }),
  );
  const names = runtimes.map((one) => one.name);
  return { runtime, specs, defaultRuntime: name, names, layout, usualFilters };
}

/** The daemon's own choice is checked before anything else is done: every create would fail by it. */
function openLogDrivers(options: DaemonOptions): ReadonlyMap<string, LogDriver> {
  const drivers = createLogDrivers({ openDatagram: openUnixDatagram });
  const chosen = drivers.get(options.logDriver);
  if (chosen === undefined) throw invalid(`logger: no log driver named '${options.logDriver}' is registered`);
  chosen.validate(options.logOptions);
  return drivers;
}

/** What every room is built from. */
export async function openBase(options: DaemonOptions, log: Logger) {
  const ctx = backgroundCtx(log);
  const logDrivers = openLogDrivers(options);
  const { dataRoot, runRoot } = makeRoots(options);
  const programs = locatePrograms(options);
  const mapping = resolveRemap(log, options.containerDefaults.usernsRemap, hostAccounts);
  const view = join(runRoot, 'remapped');
  const remap = mapping && { mapping, view };
  // Images and volumes hold programs that run as root for whoever starts them: nobody else of this host shall get at them. The
  // containers' own root has to pass through, and what it makes is nobody's on the host.
  chmodSync(dataRoot, mapping === undefined ? 0o710 : 0o711);
  if (mapping !== undefined) checkReachable([dataRoot, runRoot], mapping);
  const host = createHost({ shimPath: programs.shim });
  await closeMappedView(host, view);
  await setUpCgroups(host, ctx, {
    mountMissing: options.fixCgroups,
    favorDynmods: options.fixCgroups,
    recordPath: join(runRoot, 'cgroup-setup.json'),
  });
  const [storage, oci] = await Promise.all([
    openStorage(host, log, dataRoot, remap, options.storageDriver),
    openRuntimes(ctx, host, options, runRoot, programs),
  ]);
  checkWritableSize(storage.snapshots, options.writableSize);
  const id = await engineId(storage.records);
  const initPath =
    options.initPath ?? findProgram('tini-static') ?? findProgram('docker-init') ?? findProgram('catatonit');
  const platform = { os: 'linux', architecture: goArch() };
  const events = new EventBus();
  return {
    options,
    log,
    ctx,
    dataRoot,
    runRoot,
    programs,
    host,
    storage,
    oci,
    id,
    initPath,
    platform,
    events,
    logDrivers,
    remap,
    mappedView: view,
  };
}

export type Base = Awaited<ReturnType<typeof openBase>>;
