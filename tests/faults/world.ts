/**
 * The containers, images-free: the real services of containers, networks and volumes on a machine in memory, where any
 * call of any port can be made to fail.
 */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { backgroundCtx } from '#src/core/ctx.ts';
import { internal } from '#src/core/errors.ts';
import { EventBus } from '#src/core/events.ts';
import { silentLogger } from '#src/core/log.ts';
import type { IdMapping } from '#src/core/model/id-mapping.ts';
import { chainIdOf, type ImageRecord } from '#src/core/model/image.ts';
import type { NetHelper, PortHold } from '#src/core/ports/net-helper.ts';
import type { Runtime } from '#src/core/ports/runtime.ts';
import { encodeHeader, simpleHeader, tarEnd, tarPadding } from '#src/core/tar/index.ts';
import {
  createBridgeDriver,
  createFirewall,
  createHostDriver,
  createNoneDriver,
} from '#src/network/index.ts';
import { createSpecBuilder, readMachineFacts } from '#src/runtime/index.ts';
import { createContainers } from '#src/services/containers/index.ts';
import type { CommitInput, ImageService } from '#src/services/images/index.ts';
import { createNetworksService } from '#src/services/networks/index.ts';
import { openVolumes } from '#src/services/volumes/index.ts';
import { createHash } from 'node:crypto';
import { createFakeHost } from '../contracts/fakes/host/index.ts';
import { createFakeLogDriver } from '../contracts/fakes/log-driver.ts';
import { createMemoryRecords } from '../contracts/fakes/memory-records.ts';
import { createMemorySnapshots } from '../contracts/fakes/memory-snapshots.ts';
import { createMemoryVolumes } from '../contracts/fakes/memory-volumes.ts';
import { createFakeRuntime } from '../contracts/fakes/runtime.ts';

export const ctx = backgroundCtx(silentLogger);

/** Which call fails, counted over all ports; before its effect or after it. */
export interface Fault {
  at: number;
  when: 'before' | 'after';
}

/** Counts the calls of ports and lets one of them fail. */
export class Faults {
  #fault: Fault | undefined;
  #count = 0;
  readonly calls: string[] = [];
  failed: string | undefined;

  arm(fault: Fault | undefined): void {
    this.#fault = fault;
    this.#count = 0;
    this.calls.length = 0;
    this.failed = undefined;
  }

  /** The port with every function of `names` guarded. */
  guard<T extends object>(port: string, target: T, names: readonly (keyof T & string)[]): T {
    return new Proxy(target, {
      get: (inner, key, receiver) => {
        const value: unknown = Reflect.get(inner, key, receiver);
        if (typeof value !== 'function' || !names.includes(key as keyof T & string)) {
          return typeof value === 'function' ? value.bind(inner) : value;
        }
        return (...args: unknown[]) =>
          this.#call(`${port}.${String(key)}`, () => Reflect.apply(value, inner, args));
      },
    });
  }

  #call(name: string, run: () => unknown): unknown {
    this.#count += 1;
    this.calls.push(name);
    if (this.#fault?.at !== this.#count) return run();
    // These promise all or nothing, or hand out what only they know: their failure is one before the effect.
    const atomic = /^(records|runtime|host|task)\./.test(name);
    const when = atomic ? 'before' : this.#fault.when;
    this.failed = `${name} (${when})`;
    const failure = internal(`injected: ${this.failed}`);
    if (when === 'before') return Promise.reject(failure);
    return Promise.resolve(run()).then(() => Promise.reject(failure));
  }
}

function fakeHelper(): NetHelper & {
  readonly ports: Map<string, readonly PortHold[]>;
  readonly resolvers: Set<string>;
} {
  const ports = new Map<string, readonly PortHold[]>();
  const resolvers = new Set<string>();
  const zones = new Set<string>();
  return {
    ports,
    resolvers,
    ensureRunning: async () => {},
    attachResolver: async (_ctx, _path, config) => void resolvers.add(config.containerId),
    updateResolver: async () => {},
    detachResolver: async (_ctx, id) => void resolvers.delete(id),
    setZone: async (_ctx, id, _name, names) => void (names.length > 0 ? zones.add(id) : zones.delete(id)),
    holdPorts: async (_ctx, holds) => {
      const [first] = holds;
      if (first === undefined) return;
      // As slipway-net: what a container whose release got lost still holds goes to the new one.
      ports.set(first.containerId, holds);
    },
    releasePorts: async (_ctx, id) => void ports.delete(id),
    list: async () => ({ resolvers: [...resolvers], zones: [...zones], ports: [...ports.values()].flat() }),
    lookups: async () => ({}),
    onRestart: () => {},
    shutdown: async () => {},
    close: () => {},
    stats: async () => ({ pid: 0, rssBytes: 0, version: '' }),
  };
}

function layerArchive(): Buffer {
  const data = Buffer.from('root:x:0:0:root:/root:/bin/sh\n');
  const file = encodeHeader(simpleHeader('etc/passwd', { size: data.length }));
  return Buffer.concat([file, data, tarPadding(data.length), tarEnd]);
}

export interface WorldOptions {
  readonly faults?: Faults;
  /** What this machine lacks for checkpoints. */
  readonly checkpointProblem?: () => string | undefined;
  /** Containers have user namespaces with these ids. */
  readonly idMapping?: IdMapping;
}

/** A machine with one image (`busybox`) and nothing else. */
export async function createWorld(options: WorldOptions = {}) {
  const faults = options.faults ?? new Faults();
  const dataRoot = mkdtempSync(join(tmpdir(), 'slip-faults-'));
  const host = createFakeHost();
  const records = createMemoryRecords();
  const snapshots = createMemorySnapshots();
  const mounted = new Set<string>();
  const volumeDriver = createMemoryVolumes();
  const helper = fakeHelper();
  const runtime = createFakeRuntime();
  const events = new EventBus();

  const archive = layerArchive();
  const diffId = `sha256:${createHash('sha256').update(archive).digest('hex')}`;
  const chainId = chainIdOf(undefined, diffId);
  await snapshots.unpack(ctx, chainId, undefined, Readable.from([archive]));
  const image = {
    id: `sha256:${'b'.repeat(64)}`,
    config: {
      os: 'linux',
      architecture: 'amd64',
      config: { Cmd: ['sleep'] },
      rootfs: { type: 'layers', diff_ids: [diffId] },
    },
    layers: [{ diffId, chainId, size: 1 }],
    tags: ['docker.io/library/busybox:latest'],
  } as unknown as ImageRecord;
  const committed: { readonly chunks: number; readonly status: string | undefined }[] = [];
  const images = {
    resolve: () => image,
    find: () => image,
    get: () => image,
    topLayer: () => chainId,
    commit: async (_ctx: unknown, { layer }: CommitInput) => {
      const chunks: unknown[] = [];
      for await (const chunk of layer ?? []) chunks.push(chunk);
      const [stored] = await records.list('container');
      committed.push({ chunks: chunks.length, status: stored?.state.status });
      return { record: image, reference: '' };
    },
  } as unknown as ImageService;

  const watchedSnapshots = {
    ...snapshots,
    mount: async (key: string, how: { volatile: boolean }) => {
      const made = await snapshots.mount(key, how);
      mounted.add(key);
      return made;
    },
    unmount: async (key: string) => void mounted.delete(key),
    release: (key: string) => void mounted.delete(key),
    removeSnapshot: async (key: string) => {
      mounted.delete(key);
      await snapshots.removeSnapshot(key);
    },
  };
  const guardedHost = faults.guard('host', host, [
    'createNetns',
    'createUserNamespace',
    'syncfs',
    'networkProgram',
    'link',
  ]);
  const guardedRecords = faults.guard('records', records, ['commit']);
  const networks = createNetworksService({
    engineId: 'faults',
    records: guardedRecords,
    events,
    drivers: [
      createBridgeDriver({ host: guardedHost, instance: 'flt' }),
      createHostDriver(),
      createNoneDriver(),
    ],
    firewall: faults.guard('firewall', createFirewall({ host, instance: 'flt' }), [
      'publish',
      'unpublish',
      'ensureNetwork',
    ]),
    helper: faults.guard('helper', helper, [
      'attachResolver',
      'detachResolver',
      'setZone',
      'holdPorts',
      'releasePorts',
    ]),
    host: guardedHost,
    facts: {
      ipv6: false,
      ephemeralPorts: { first: 40_000, last: 50_000 },
      readResolvConf: () => 'nameserver 9.9.9.9\n',
    },
    log: silentLogger,
  });
  const volumes = await openVolumes({
    records: guardedRecords,
    drivers: [faults.guard('volumes', volumeDriver, ['create', 'mount', 'unmount', 'remove'])],
    host,
    events,
    uses: () =>
      containers.service
        .records()
        .flatMap((record) =>
          record.mounts.flatMap((mount) =>
            mount.name === undefined ? [] : [{ containerId: record.id, volumeName: mount.name }],
          ),
        ),
  });
  const facts = readMachineFacts(host.cgroupLayout(), { cgroupParent: 'flt' });
  const trash = faults.guard(
    'trash',
    { discard: async (path: string) => rmSync(path, { recursive: true, force: true }) },
    ['discard'],
  );
  // Tasks are ports, too.
  const tended: Runtime = {
    ...runtime,
    checkpointProblem: async () => options.checkpointProblem?.(),
    start: async (own, spec) =>
      faults.guard('task', await runtime.start(own, spec), [
        'exec',
        'pause',
        'resume',
        'signal',
        'checkpoint',
      ]),
  };
  const containers = createContainers({
    host: guardedHost,
    attributes: { mknod() {}, setXattr() {}, getXattr: () => undefined, listXattrs: () => [] },
    records: guardedRecords,
    snapshots: faults.guard('snapshots', watchedSnapshots, [
      'prepare',
      'mount',
      'unmount',
      'removeSnapshot',
      'changes',
      'diff',
    ]),
    runtime: faults.guard('runtime', tended, ['start', 'cleanup']),
    specs: createSpecBuilder({ facts, seccompCaches: new Map(), cdiDirectories: [] }),
    images: faults.guard('images', images, ['commit']),
    volumes,
    networks,
    logDrivers: new Map([['json-file', createFakeLogDriver()]]),
    changeUnit: async () => {},
    discard: (path) => trash.discard(path),
    events,
    log: silentLogger,
    options: {
      dataRoot,
      runRoot: join(dataRoot, 'run'),
      instance: 'flt',
      defaultRuntime: 'crun',
      runtimes: ['crun', 'runc'],
      initPath: undefined,
      defaultInit: false,
      defaultLogDriver: 'json-file',
      defaultLogOptions: {},
      idMapping: options.idMapping,
      platform: { os: 'linux', architecture: 'amd64' },
    },
  });
  networks.bindContainers(containers.lifecycle.directory);
  await containers.lifecycle.load();
  await containers.lifecycle.restore(ctx, (running) => networks.restore(ctx, running));
  const directories = (): readonly string[] => {
    try {
      return readdirSync(join(dataRoot, 'containers'));
    } catch {
      return [];
    }
  };
  return {
    ...containers,
    networks,
    volumes,
    faults,
    events,
    runtime,
    /** Of each image that was committed: chunks of its layer, and what the container's record on disk said meanwhile. */
    committed,
    writable: snapshots,
    /** All that the engine holds, in one comparable value. */
    async state() {
      const { home } = host.kernel.namespaces;
      return {
        containers: (await records.list('container')).map((record) => ({
          ...record,
          // A failed start says so in these; Docker does the same.
          state: { ...record.state, error: '', exitCode: 0 },
        })),
        volumes: (await records.list('volume')).map((record) => record.name),
        volumeFiles: [...volumeDriver.files.keys()],
        snapshots: (await snapshots.list()).snapshots,
        mounted: [...mounted],
        directories: directories(),
        descriptors: host.kernel.descriptors.count(),
        links: (await host.links({ path: '/proc/self/ns/net' }).catch(() => host.links()))
          .map((link) => link.name)
          .sort(),
        home: home === undefined,
        nft: await firewallPorts(host),
        ports: [...helper.ports.keys()],
        resolvers: [...helper.resolvers],
        tasks: [...runtime.world.containers.keys()],
      };
    },
    end: () => {
      containers.lifecycle.close();
      rmSync(dataRoot, { recursive: true, force: true });
    },
  };
}

async function firewallPorts(host: ReturnType<typeof createFakeHost>): Promise<readonly string[]> {
  const ports = await createFirewall({ host, instance: 'flt' }).listPorts(ctx);
  return ports.map((port) => `${port.hostPort}->${port.containerIp}:${port.containerPort}`).sort();
}
