/**
 * The composition root: the one file that names concrete drivers. Builds every room from the options, in the order in
 * which they need each other, restores what a former daemon left running, and opens the API last.
 */

import { mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { createApiServer, maximumVersion, minimumVersion, type ApiServer } from './api/index.ts';
import { backgroundCtx, type Ctx } from './core/ctx.ts';
import { EventBus } from './core/events.ts';
import { newId } from './core/ids.ts';
import type { Logger } from './core/log.ts';
import type { RecordStore } from './core/ports/record-store.ts';
import { insecureListeners, listenerOf } from './daemon/listen.ts';
import { locatePrograms, type Programs } from './daemon/programs.ts';
import type { DaemonOptions } from './daemon/options.ts';
import { chooseDefault, configuredRuntimes, findProgram, seccompCaches } from './daemon/runtimes.ts';
import { unifiedControllers } from './daemon/cgroup-facts.ts';
import { buildCommit, buildTime, productVersion } from './daemon/version.ts';
import { createFileAttributes } from './host/file-attributes.ts';
import { createHost, setUpCgroups, trimHeap, type KernelHost } from './host/index.ts';
import { createLogDrivers } from './logs/index.ts';
import {
  createBridgeDriver,
  createFirewall,
  createHostDriver,
  createNetHelper,
  createNoneDriver,
} from './network/index.ts';
import { createRegistry } from './registry/index.ts';
import { createRuntime, createSpecBuilder, goArch, readMachineFacts } from './runtime/index.ts';
import { createContainers } from './services/containers/index.ts';
import { openImages } from './services/images/index.ts';
import { createNetworksService, readHostFacts } from './services/networks/index.ts';
import { createSystemService, type EngineFacts } from './services/system/index.ts';
import { openVolumes } from './services/volumes/index.ts';
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
    openOverlay2({ host, workers, trash }, dataRoot),
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
  const runtimes = configuredRuntimes(options);
  const name = chooseDefault(options, runtimes, layout, unifiedControllers(layout));
  const runtime = await createRuntime({
    host,
    shimPath: programs.shim,
    runtimes,
    runDir: runRoot,
    log: ctx.log,
  });
  const facts = readMachineFacts(layout, options.instance);
  const caches = await seccompCaches(ctx, {
    runtimes,
    infos: runtime.info(),
    facts,
    runRoot,
    probeProgram: programs.shim,
  });
  const specs = createSpecBuilder({ facts, seccompCaches: caches });
  return { runtime, specs, defaultRuntime: name, names: runtimes.map((one) => one.name), layout };
}

/** Starts everything. What it throws is a sentence for the person who started it. */
export async function startDaemon(options: DaemonOptions, log: Logger): Promise<Daemon> {
  const ctx = backgroundCtx(log);
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
  const { records, snapshots, blobs, trash } = storage;
  const events = new EventBus();
  const id = await engineId(records);
  const helper = createNetHelper({ host, runRoot, program: programs.net, log });
  const networks = createNetworksService({
    engineId: id,
    records,
    events,
    drivers: [
      createBridgeDriver({ host, instance: options.instance }),
      createHostDriver(),
      createNoneDriver(),
    ],
    firewall: createFirewall({ host, instance: options.instance }),
    helper,
    host,
    facts: readHostFacts(),
    defaults: { addressPools: options.addressPools, bip: options.bip, mtu: options.mtu },
    log,
  });
  const registry = createRegistry({
    insecureRegistries: options.insecureRegistries,
    mirrors: options.registryMirrors,
  });
  const platform = { os: 'linux', architecture: goArch() };
  const images = await openImages({
    records,
    blobs,
    snapshots,
    registry,
    events,
    log,
    platform,
    containers: () =>
      containers.service.records().map((record) => ({
        id: record.id,
        name: record.name,
        imageId: record.imageId,
        imageRef: record.imageRef,
        active: ['running', 'paused', 'restarting', 'starting'].includes(record.state.status),
      })),
  });
  const volumes = await openVolumes({
    records,
    drivers: [storage.volumes],
    host,
    events,
    uses: () =>
      containers.service
        .records()
        .flatMap((record) =>
          record.mounts.flatMap((mount) =>
            mount.type === 'volume' && mount.name !== undefined
              ? [{ containerId: record.id, volumeName: mount.name }]
              : [],
          ),
        ),
  });
  const logDrivers = createLogDrivers();
  const initPath = options.initPath ?? findProgram('tini-static') ?? findProgram('docker-init');
  const containers = createContainers({
    host,
    attributes: createFileAttributes(),
    records,
    snapshots,
    runtime: oci.runtime,
    specs: oci.specs,
    images,
    volumes,
    networks,
    logDrivers,
    discard: (path) => trash.discard(path),
    events,
    log,
    options: {
      dataRoot,
      runRoot,
      instance: options.instance,
      defaultRuntime: oci.defaultRuntime,
      runtimes: oci.names,
      initPath,
      defaultInit: options.init,
      defaultLogDriver: options.logDriver,
      defaultLogOptions: options.logOptions,
      platform: `${platform.os}/${platform.architecture}`,
    },
  });
  await containers.lifecycle.load();
  networks.bindContainers(containers.lifecycle.directory);
  await containers.lifecycle.restore(ctx, (running) => networks.restore(ctx, running));
  trash.empty();
  const engine: EngineFacts = {
    engineId: id,
    instance: options.instance,
    version: productVersion,
    gitCommit: buildCommit,
    buildTime,
    apiVersion: maximumVersion,
    minApiVersion: minimumVersion,
    dataRoot,
    debug: options.logLevel === 'debug',
    labels: options.labels,
    storage: snapshots,
    cgroupDriver: 'cgroupfs',
    cgroupVersion: oci.layout.version === 2 ? 2 : 1,
    defaultRuntime: oci.defaultRuntime,
    runtimes: () => oci.runtime.info(),
    loggingDriver: options.logDriver,
    logDrivers: [...logDrivers.keys()],
    networkDrivers: ['bridge', 'host', 'null'],
    volumeDrivers: ['local'],
    initBinary: initPath ?? '',
    firewallBackend: 'nftables',
    defaultAddressPools: options.addressPools,
    insecureRegistries: options.insecureRegistries,
    registryMirrors: options.registryMirrors,
    httpProxy: process.env['HTTP_PROXY'] ?? process.env['http_proxy'] ?? '',
    httpsProxy: process.env['HTTPS_PROXY'] ?? process.env['https_proxy'] ?? '',
    noProxy: process.env['NO_PROXY'] ?? process.env['no_proxy'] ?? '',
    insecureListeners: insecureListeners(options),
  };
  const system = createSystemService({
    engine,
    containers: containers.service,
    images,
    volumes,
    events,
    records,
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
    await trash.close();
    await records.close();
    await storage.workers.close();
    await host.close();
  };
  return {
    addresses,
    close: () => (closing ??= close()),
  };
}

async function listenAll(api: ApiServer, options: DaemonOptions): Promise<readonly string[]> {
  const addresses: string[] = [];
  for (const given of options.hosts) addresses.push(await api.listen(listenerOf(given, options)));
  return addresses;
}
