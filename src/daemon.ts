/**
 * The composition root: the one file that names concrete drivers. Builds every room from the options, in the order in
 * which they need each other, restores what a former daemon left running, and opens the API last.
 */

import { mkdirSync, realpathSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { createApiServer, maximumVersion, minimumVersion, type ApiServer } from './api/index.ts';
import { backgroundCtx, type Ctx } from './core/ctx.ts';
import { invalid } from './core/errors.ts';
import { EventBus } from './core/events.ts';
import { newId } from './core/ids.ts';
import type { Logger } from './core/log.ts';
import type { ContainerRecord } from './core/model/container.ts';
import type { LogDriver } from './core/ports/log-driver.ts';
import type { RecordStore } from './core/ports/record-store.ts';
import { insecureListeners, listenerOf } from './daemon/listen.ts';
import { locatePrograms, type Programs } from './daemon/programs.ts';
import type { DaemonOptions } from './daemon/options.ts';
import { loadAppArmorProfile } from './daemon/apparmor.ts';
import { prepareRealtime } from './daemon/realtime.ts';
import { guardRuntimes, releaseRuntimes } from './daemon/guard-runtimes.ts';
import { lightenRuntimes } from './daemon/light-runtimes.ts';
import { chooseDefault, configuredRuntimes, findProgram, seccompCaches } from './daemon/runtimes.ts';
import { unifiedControllers } from './daemon/cgroup-facts.ts';
import { buildCommit, buildTime, productVersion } from './daemon/version.ts';
import { createFileAttributes } from './host/file-attributes.ts';
import { createHost, openUnixDatagram, setUpCgroups, trimHeap, type KernelHost } from './host/index.ts';
import { createLogDrivers } from './logs/index.ts';
import {
  createBridgeDriver,
  createDriverPlugins,
  createFirewall,
  createHostDriver,
  createIpvlanDriver,
  createMacvlanDriver,
  createNetHelper,
  createNoneDriver,
} from './network/index.ts';
import { createRegistry } from './registry/index.ts';
import {
  compileUsualFilters,
  createRuntime,
  createSpecBuilder,
  listDevices,
  goArch,
  readMachineFacts,
} from './runtime/index.ts';
import { createContainers, type ContainerDeps } from './services/containers/index.ts';
import {
  openImages,
  readTrustPolicy,
  type ContainerUsage,
  type ImageService,
} from './services/images/index.ts';
import { createNetworksService, readHostFacts } from './services/networks/index.ts';
import { createSystemService, type EngineFacts } from './services/system/index.ts';
import { openVolumes, type VolumeService, type VolumeUse } from './services/volumes/index.ts';
import {
  openContentStore,
  openLocalVolumes,
  openOverlay2,
  openSqliteRecords,
  openTrash,
  StorageWorkers,
} from './storage/index.ts';

export interface Daemon {
  /** The addresses on which the API answers. */
  readonly addresses: readonly string[];
  /** Stops serving; containers, their logs, names and ports go on. Idempotent. */
  close(): Promise<void>;
}

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

async function openStorage(host: KernelHost, log: Logger, dataRoot: string) {
  const workers = new StorageWorkers({
    attributesUrl: new URL('./host/file-attributes.ts', import.meta.url),
    onThreadEnd: trimHeap,
  });
  const trash = await openTrash({ workers, log }, join(dataRoot, 'trash'));
  const [records, blobs, snapshots, volumes] = await Promise.all([
    openSqliteRecords({ path: join(dataRoot, 'state.db') }),
    openContentStore({ workers }, join(dataRoot, 'content')),
    openOverlay2({ host, workers, trash, log }, dataRoot),
    openLocalVolumes({ host, workers, trash }, dataRoot),
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
  const layout = host.cgroupLayout();
  const guarded = await guardRuntimes(host, ctx, configuredRuntimes(options), runRoot);
  const runtimes = await lightenRuntimes(guarded, programs.noSystemd);
  const name = chooseDefault(options, runtimes, layout, unifiedControllers(layout));
  const runtime = await createRuntime({
    host,
    shimPath: programs.shim,
    runtimes,
    runDir: runRoot,
    log: ctx.log,
  });
  const { containerDefaults: defaults } = options;
  const cgroupParent = defaults.cgroupParent ?? `/${options.instance}`;
  prepareRealtime(layout, cgroupParent, defaults);
  const facts = readMachineFacts(layout, cgroupParent, await loadAppArmorProfile(ctx.log, runRoot));
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
  compileUsualFilters(ctx, { facts, seccompCaches: caches }).catch((error: unknown) =>
    ctx.log.warn('the usual seccomp filter is not compiled ahead', { error }),
  );
  return { runtime, specs, defaultRuntime: name, names: runtimes.map((one) => one.name), layout };
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
async function openBase(options: DaemonOptions, log: Logger) {
  const ctx = backgroundCtx(log);
  const logDrivers = openLogDrivers(options);
  const { dataRoot, runRoot } = makeRoots(options);
  const programs = locatePrograms(options);
  const host = createHost();
  await setUpCgroups(host, ctx, {
    mountMissing: options.fixCgroups,
    favorDynmods: options.fixCgroups,
    recordPath: join(runRoot, 'cgroup-setup.json'),
  });
  const [storage, oci] = await Promise.all([
    openStorage(host, log, dataRoot),
    openRuntimes(ctx, host, options, runRoot, programs),
  ]);
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
  };
}

type Base = Awaited<ReturnType<typeof openBase>>;
type Records = () => readonly ContainerRecord[];

function buildNetworks(base: Base) {
  const { host, options, log, events } = base;
  const helper = createNetHelper({ host, runRoot: base.runRoot, program: base.programs.net, log });
  const bridge = createBridgeDriver({ host, instance: options.instance });
  const networks = createNetworksService({
    engineId: base.id,
    records: base.storage.records,
    events,
    drivers: [
      bridge,
      createHostDriver(),
      createIpvlanDriver({ host, instance: options.instance }),
      createMacvlanDriver({ host, instance: options.instance }),
      createNoneDriver(),
    ],
    plugins: createDriverPlugins(host),
    firewall: createFirewall({ host, instance: options.instance }),
    helper,
    host,
    facts: readHostFacts(),
    defaults: {
      addressPools: options.addressPools,
      bip: options.bip,
      bindAddress: options.bindAddress,
      mtu: options.mtu,
    },
    log,
  });
  return { networks, helper };
}

function buildImages(base: Base, containers: Records): Promise<ImageService> {
  const { options, log, events, platform } = base;
  const { records, blobs, snapshots } = base.storage;
  const { trustPolicy } = options;
  const registry = createRegistry({
    insecureRegistries: options.insecureRegistries,
    mirrors: options.registryMirrors,
    proxyEnv: proxyEnvironment(options),
  });
  const usage = ({ id, name, imageId, imageRef, state, mounts }: ContainerRecord): ContainerUsage[] => {
    const active = ['running', 'paused', 'restarting', 'starting'].includes(state.status);
    const mounted = new Set(mounts.flatMap((mount) => mount.imageId ?? []));
    mounted.delete(imageId);
    return [
      { id, name, imageId, imageRef, active },
      ...[...mounted].map((image) => ({ id, name, imageId: image, imageRef: image, active })),
    ];
  };
  return openImages({
    records,
    blobs,
    snapshots,
    registry,
    concurrentDownloads: options.maxConcurrentDownloads,
    concurrentUploads: options.maxConcurrentUploads,
    ...(trustPolicy !== undefined && { trustPolicy: () => readTrustPolicy(trustPolicy) }),
    events,
    log,
    platform,
    containers: () => containers().flatMap(usage),
    collecting: {
      policy: options.imagePolicy,
      diskUse: async () => {
        const { blocks, bavail, bfree, bsize } = await statfs(base.dataRoot);
        // As df has it: what is reserved for root counts as neither used nor free.
        return { total: (blocks - bfree + bavail) * bsize, free: bavail * bsize };
      },
    },
  });
}

function buildVolumes(base: Base, containers: Records): Promise<VolumeService> {
  const uses = (record: ContainerRecord): readonly VolumeUse[] =>
    record.mounts.flatMap((mount) =>
      mount.type === 'volume' && mount.name !== undefined
        ? [{ containerId: record.id, volumeName: mount.name }]
        : [],
    );
  return openVolumes({
    records: base.storage.records,
    drivers: [base.storage.volumes],
    host: base.host,
    events: base.events,
    uses: () => containers().flatMap(uses),
  });
}

function buildContainers(
  base: Base,
  services: Pick<ContainerDeps, 'images' | 'volumes' | 'networks'>,
): ReturnType<typeof createContainers> {
  const { options, oci, storage, platform } = base;
  return createContainers({
    ...services,
    host: base.host,
    attributes: createFileAttributes(),
    records: storage.records,
    snapshots: storage.snapshots,
    runtime: oci.runtime,
    specs: oci.specs,
    logDrivers: base.logDrivers,
    discard: (path) => storage.trash.discard(path),
    events: base.events,
    log: base.log,
    options: {
      dataRoot: base.dataRoot,
      runRoot: base.runRoot,
      instance: options.instance,
      defaultRuntime: oci.defaultRuntime,
      runtimes: oci.names,
      initPath: base.initPath,
      defaultInit: options.init,
      defaultLogDriver: options.logDriver,
      defaultLogOptions: options.logOptions,
      defaultShmSize: options.containerDefaults.shmSize,
      defaultIpcMode: options.containerDefaults.ipcMode,
      defaultCgroupnsMode: options.containerDefaults.cgroupnsMode,
      platform: `${platform.os}/${platform.architecture}`,
    },
  });
}

const environment = (name: string): string => process.env[name.toUpperCase()] ?? process.env[name] ?? '';

/** Proxies of the options where they are given, else of the environment. */
function proxyEnvironment({ proxies }: DaemonOptions): Record<string, string | undefined> {
  const of = (name: string): string => proxies[name.toUpperCase()] ?? environment(name);
  const names = ['http_proxy', 'https_proxy', 'no_proxy'];
  const given = names.map((name) => [name.toUpperCase(), of(name)] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== ''));
}

/** A proxy's address without its password: `info` is for everybody. */
const masked = (address = ''): string => address.replace(/\/\/[^@/]*@/, '//xxxxx:xxxxx@');

function engineFacts(base: Base): EngineFacts {
  const { options, oci } = base;
  return {
    engineId: base.id,
    instance: options.instance,
    version: productVersion,
    gitCommit: buildCommit,
    buildTime,
    apiVersion: maximumVersion,
    minApiVersion: minimumVersion,
    dataRoot: base.dataRoot,
    debug: options.logLevel === 'debug',
    labels: options.labels,
    storage: base.storage.snapshots,
    cgroupDriver: 'cgroupfs',
    cgroupVersion: oci.layout.version === 2 ? 2 : 1,
    defaultRuntime: oci.defaultRuntime,
    runtimes: () => oci.runtime.info(),
    loggingDriver: options.logDriver,
    // As dockerd lists them: `none` is no driver that one could choose for its sake.
    logDrivers: [...base.logDrivers.keys()].filter((name) => name !== 'none').sort(),
    networkDrivers: ['bridge', 'host', 'ipvlan', 'macvlan', 'null'],
    volumeDrivers: ['local'],
    initBinary: base.initPath ?? '',
    firewallBackend: 'nftables',
    defaultAddressPools: options.addressPools,
    insecureRegistries: options.insecureRegistries,
    registryMirrors: options.registryMirrors,
    httpProxy: masked(proxyEnvironment(options)['HTTP_PROXY']),
    httpsProxy: masked(proxyEnvironment(options)['HTTPS_PROXY']),
    noProxy: proxyEnvironment(options)['NO_PROXY'] ?? '',
    insecureListeners: insecureListeners(options),
    cdiSpecDirs: options.cdiSpecDirs,
    devices: () => listDevices(options.cdiSpecDirs),
  };
}

/** Starts everything. What it throws is a sentence for the person who started it. */
export async function startDaemon(options: DaemonOptions, log: Logger): Promise<Daemon> {
  const base = await openBase(options, log);
  const { ctx, events, storage } = base;
  const { records, trash } = storage;
  const { networks, helper } = buildNetworks(base);
  // Images and volumes ask which containers use them, and containers need both: they ask only once all are there.
  const used: Records = () => containers.service.records();
  const [images, volumes] = await Promise.all([buildImages(base, used), buildVolumes(base, used)]);
  const containers = buildContainers(base, { images, volumes, networks });
  await containers.lifecycle.load();
  networks.bindContainers(containers.lifecycle.directory);
  await containers.lifecycle.restore(ctx, (running) => networks.restore(ctx, running));
  trash.empty();
  const system = createSystemService({
    engine: engineFacts(base),
    containers: containers.service,
    images,
    volumes,
    events,
    records,
    repair: (repairCtx, choice) => containers.lifecycle.repair(repairCtx, choice),
    warnings: () => networks.status(),
  });
  const api = createApiServer(
    { containers: containers.service, images, networks, volumes, system },
    { version: productVersion, log },
  );
  const addresses = await listenAll(api, options);
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await api.close();
    containers.lifecycle.close();
    helper.close();
    await storage.snapshots.settle();
    await trash.close();
    await records.close();
    await storage.workers.close();
    await releaseRuntimes(base.host, base.runRoot);
    await base.host.close();
  };
  return { addresses, close: () => (closing ??= close()) };
}

async function listenAll(api: ApiServer, options: DaemonOptions): Promise<readonly string[]> {
  const addresses: string[] = [];
  for (const given of options.hosts) addresses.push(await api.listen(listenerOf(given, options)));
  return addresses;
}
