/** The networks service on the real kernel, with its records in memory, and containers that are bare namespaces. */

import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backgroundCtx } from '#src/core/ctx.ts';
import { unavailable } from '#src/core/errors.ts';
import { EventBus } from '#src/core/events.ts';
import { newId } from '#src/core/ids.ts';
import { createLogger, silentLogger } from '#src/core/log.ts';
import { initialState, type ContainerRecord } from '#src/core/model/container.ts';
import type { HostConfig, NetworkingConfig } from '#src/core/model/container-spec.ts';
import type { Host } from '#src/core/ports/host.ts';
import type { DriverPlugins } from '#src/core/ports/network-driver.ts';
import type { NetHelper } from '#src/core/ports/net-helper.ts';
import type { RecordKind, RecordKinds, RecordStore } from '#src/core/ports/record-store.ts';
import { createHost } from '#src/host/index.ts';
import {
  createBridgeDriver,
  createDriverPlugins,
  createFirewall,
  createHostDriver,
  createIpvlanDriver,
  createMacvlanDriver,
  createNetHelper,
  createNoneDriver,
} from '#src/network/index.ts';
import {
  createNetworksService,
  type NetworkDefaults,
  type NetworksService,
} from '#src/services/networks/index.ts';

export const instance = 'sliptest';
export const ctx = backgroundCtx(
  process.env['SLIPWAY_TEST_LOG'] === undefined
    ? silentLogger
    : createLogger('debug', (line) => process.stderr.write(line)),
);
const root = join(import.meta.dirname, '../..');

export const netProgram = {
  path: process.execPath,
  args: [
    '--no-memory-protection-keys',
    '--max-semi-space-size=1',
    '--max-old-space-size=64',
    join(root, 'src/netd/main.ts'),
  ],
};

/** Records in memory: what they are for here is to outlive a service. */
export function memoryRecords(): RecordStore {
  const kinds = new Map<string, Map<string, unknown>>();
  return {
    list: <K extends RecordKind>(kind: K) =>
      Promise.resolve([...(kinds.get(kind)?.values() ?? [])] as RecordKinds[K][]),
    commit(changes) {
      for (const change of changes) {
        const table = kinds.get(change.kind) ?? new Map<string, unknown>();
        kinds.set(change.kind, table);
        if (change.op === 'put') table.set(change.id, change.record);
        else table.delete(change.id);
      }
      return Promise.resolve();
    },
    damaged: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  };
}

export interface Box {
  readonly record: ContainerRecord;
  readonly namespace: { readonly fd: number; readonly path: string };
}

/** Whether the kernel has interfaces of a kind; asked in a namespace of the test's own. */
export function knowsKind(kind: 'ipvlan' | 'vlan' | 'dummy'): boolean {
  const make = {
    ipvlan:
      'ip link add slipknow type veth peer name slipknow2; ip link add slipkind link slipknow type ipvlan',
    vlan: 'ip link add slipknow type veth peer name slipknow2; ip link add slipkind link slipknow type vlan id 5',
    dummy: 'ip link add slipkind type dummy',
  };
  const { status } = spawnSync('unshare', ['--net', 'sh', '-c', make[kind]], { stdio: 'ignore' });
  return status === 0;
}

/** Runs a command in a namespace and gives its output; throws when it fails. */
export function inside(box: Pick<Box, 'namespace'>, ...command: readonly string[]): string {
  return execFileSync('nsenter', [`--net=${box.namespace.path}`, ...command], {
    encoding: 'utf8',
    timeout: 15_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** A web page served inside a namespace until the process is killed. */
export async function servePage(box: Pick<Box, 'namespace'>, text: string, port = 80): Promise<ChildProcess> {
  const script = `require('http').createServer((q, s) => s.end(${JSON.stringify(text)} + q.socket.remoteAddress)).listen(${port}, () => console.log('up'))`;
  return serveScript(box, script);
}

export async function serveScript(box: Pick<Box, 'namespace'>, script: string): Promise<ChildProcess> {
  const child = spawn('nsenter', [`--net=${box.namespace.path}`, process.execPath, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`the server ended: ${code}`)));
  });
  return child;
}

export class World {
  readonly runRoot = mkdtempSync(join(tmpdir(), 'slip-'));
  readonly host: Host & { close(): Promise<void> } = createHost();
  readonly records = memoryRecords();
  readonly events = new EventBus();
  readonly boxes = new Map<string, Box>();
  /** Records of containers that ended while no daemon was there to see it. */
  readonly ended = new Map<string, ContainerRecord>();
  helper: NetHelper;
  networks: NetworksService;
  upstream = '';
  readonly #children: ChildProcess[] = [];
  readonly #outside: number[] = [];
  #unwatch: (() => void) | undefined;
  /** Shuts the present service off from plugins: what it goes on with in the background must not pass for the next one's. */
  #cut: () => void = () => {};
  /** What the daemon's flags say; taken by the next `restart`. */
  defaults: NetworkDefaults;

  constructor(defaults: NetworkDefaults = {}) {
    this.defaults = defaults;
    this.helper = this.#makeHelper();
    this.networks = this.#makeService();
  }

  /** A daemon that was killed and comes back: new service and client, same records, kernel and slipway-net. */
  async restart(): Promise<void> {
    this.helper.close();
    // The watch of a killed daemon ends with it.
    this.#unwatch?.();
    this.#cut();
    this.helper = this.#makeHelper();
    this.networks = this.#makeService();
    await this.start();
  }

  async start(): Promise<void> {
    const running = [...this.boxes.values()].map(({ record, namespace }) => ({ record, namespace }));
    await this.networks.restore(ctx, running);
  }

  /** Another machine, 192.0.2.1, behind an uplink with a small MTU. */
  async addOutside(): Promise<Pick<Box, 'namespace'>> {
    const namespace = await this.host.createNetns();
    const run = (command: string): unknown => execFileSync('sh', ['-c', command]);
    run(
      `ip link add uplink mtu 1400 type veth peer name eth9 mtu 1400 && ip link set eth9 netns ${namespace.path}`,
    );
    run('ip addr add 192.0.2.2/24 dev uplink && ip link set uplink up && ip route add default via 192.0.2.1');
    inside({ namespace }, 'sh', '-c', 'ip addr add 192.0.2.1/24 dev eth9 && ip link set eth9 up');
    this.#outside.push(namespace.fd);
    return { namespace };
  }

  keep(child: ChildProcess): ChildProcess {
    this.#children.push(child);
    return child;
  }

  plan(name: string, hostConfig: HostConfig = {}, networking?: NetworkingConfig): ContainerRecord {
    const id = newId();
    const config = { ExposedPorts: { '80/tcp': {} } };
    const endpoints = this.networks.planEndpoints({
      containerId: id,
      containerName: name,
      config,
      hostConfig,
      networking,
    });
    return {
      id,
      name,
      createdAt: '2026-01-01T00:00:00Z',
      config,
      hostConfig,
      imageId: '',
      imageRef: '',
      platform: 'linux/amd64',
      path: '',
      args: [],
      driver: '',
      snapshotKey: id,
      mounts: [],
      endpoints,
      ports: [],
      state: { ...initialState, status: 'running' },
      restartCount: 0,
      manuallyStopped: false,
      logPath: '',
      runtime: '',
    };
  }

  async run(name: string, hostConfig: HostConfig = {}, networking?: NetworkingConfig): Promise<Box> {
    return this.launch(this.plan(name, hostConfig, networking));
  }

  async launch(planned: ContainerRecord): Promise<Box> {
    const record = { ...planned, ...(await this.networks.reserve(planned)) };
    const namespace = await this.networks.createNamespace(ctx);
    try {
      const ports = await this.networks.attach(ctx, record, namespace);
      const box = { record: { ...record, ports }, namespace };
      this.boxes.set(record.id, box);
      return box;
    } catch (error) {
      this.networks.release(record.id);
      this.host.closeFd(namespace.fd);
      throw error;
    }
  }

  async stop(box: Box): Promise<void> {
    const current = this.boxes.get(box.record.id) ?? box;
    this.boxes.delete(box.record.id);
    await this.networks.detach(ctx, current.record);
    this.networks.release(box.record.id);
    this.host.closeFd(box.namespace.fd);
  }

  async end(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const box of this.boxes.values()) this.host.closeFd(box.namespace.fd);
    for (const fd of this.#outside) this.host.closeFd(fd);
    await this.networks.removeAll(ctx);
    await this.host.close();
    rmSync(this.runRoot, { recursive: true, force: true });
  }

  #makeHelper(): NetHelper {
    return createNetHelper({ host: this.host, runRoot: this.runRoot, program: netProgram, log: ctx.log });
  }

  #makePlugins(): DriverPlugins {
    const plugins = createDriverPlugins(this.host, {
      sockets: `${this.runRoot}/plugins`,
      specs: [`${this.runRoot}/specs`],
    });
    let isCut = false;
    this.#cut = () => (isCut = true);
    const reach = async <T>(work: () => Promise<T>): Promise<T> => {
      if (isCut) throw unavailable('this daemon was killed');
      return await work();
    };
    return {
      load: (context, name) => reach(() => plugins.load(context, name)),
      loaded: (name) => (isCut ? undefined : plugins.loaded(name)),
      loadIpam: (context, name) => reach(() => plugins.loadIpam(context, name)),
    };
  }

  #makeService(): NetworksService {
    const service = createNetworksService({
      engineId: 'test',
      records: this.records,
      events: this.events,
      drivers: [
        createBridgeDriver({ host: this.host, instance }),
        createHostDriver(),
        createNoneDriver(),
        createMacvlanDriver({ host: this.host, instance }),
        createIpvlanDriver({ host: this.host, instance }),
      ],
      plugins: this.#makePlugins(),
      firewall: createFirewall({ host: this.host, instance }),
      helper: this.helper,
      host: {
        ...this.host,
        watchNetwork: (listener) => (this.#unwatch = this.host.watchNetwork(listener)),
      },
      facts: {
        ipv6: true,
        ephemeralPorts: { first: 32_768, last: 60_999 },
        readResolvConf: () => (this.upstream === '' ? '' : `nameserver ${this.upstream}\n`),
      },
      defaults: this.defaults,
      log: ctx.log,
    });
    service.bindContainers({
      find: (reference) => this.#find(reference).record,
      list: () => [...[...this.boxes.values()].map((box) => box.record), ...this.ended.values()],
      update: async (_ctx, id, change) => {
        const box = this.#find(id);
        const record = await change(box.record);
        this.boxes.set(id, { ...box, record });
        return record;
      },
      namespace: (record) => this.boxes.get(record.id)?.namespace,
      networksChanged: () => Promise.resolve(),
    });
    return service;
  }

  #find(reference: string): Box {
    const found = [...this.boxes.values()].find(
      ({ record }) => record.id === reference || record.name === reference,
    );
    if (found === undefined) throw new Error(`No such container: ${reference}`);
    return found;
  }
}
