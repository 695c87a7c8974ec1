// timeout: 480
/** The engine answers some 690 requests as dockerd 20.10 and 26.1 did when they were recorded; what may differ is listed as data. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { DockerdVersion } from '../peers/dockerd.ts';
import { HttpClient } from '../../bench/http.ts';
import { operations } from '../../src/api/operations.ts';
import { Router } from '../../src/api/router.ts';
import { maximumVersion } from '../../src/api/versions.ts';
import { startSlipwayd } from '../peers/slipwayd.ts';
import type { Peer } from '../peers/process.ts';
import { busyboxArchive, runProgram } from '../scenarios/engine.ts';
import { reasons, unaccepted, unacceptedInOlder } from './compare/accepted.ts';
import { faultsOf, missingFields, spec } from './schema/validate.ts';
import {
  allRequests,
  differences,
  observe,
  observeVersions,
  olderVersions,
  type Observed,
} from './compare/run.ts';

let peer: Peer;
let parent: string;
before(async () => {
  parent = mkdtempSync('/tmp/slip-');
  // In namespaces of its own, as the reference was: the same networks are free for both.
  peer = await startSlipwayd({ folder: join(parent, 'engine'), name: `t${process.pid.toString(36)}` });
  const load = await runProgram('docker', [
    '-H',
    `unix://${peer.socket}`,
    'load',
    '-i',
    await busyboxArchive(),
  ]);
  assert.equal(load.code, 0, load.stderr);
});
after(async () => {
  await peer.stop();
  rmSync(parent, { recursive: true });
});

function recorded(version: DockerdVersion): readonly Observed[] {
  const text = readFileSync(join(import.meta.dirname, `recorded/answers-${version}.json`), 'utf8');
  return JSON.parse(text) as readonly Observed[];
}

/** Operations whose answers are streams or no JSON, or that talk to a registry: other tests drive them. */
const elsewhere = new Set([
  'ContainerAttach',
  'ContainerLogs',
  'SystemEvents',
  'SystemPing',
  'SystemPingHead',
  'ImageAttestations',
  'ImageSearch',
  'ContainerAttachWebsocket',
  'ImagePush',
  'BuildPrune',
  'SystemAuth',
  'ImageCreate',
  'ImageLoad',
  'ImageGet',
  'ImageGetAll',
]);

const areas = /^\/(containers|exec|images|networks|volumes|commit|events|info|version|_ping|system)/;

/** Where dockerd too differs from its schema, and what this engine tells beyond it. */
const beyondSchema = new Set([
  'ContainerInspect 200: HostConfig.MemorySwappiness: null',
  'ExecInspect 200: ExitCode: null',
  // Of an image made by commit; the schema lost it before dockerd did.
  'ImageInspect 200: Parent: not in the schema',
  'NetworkInspect 200: Status.DNS: not in the schema',
]);

/** Fields that are not in every answer, because nothing in the run has them, or only one kind of engine. */
const notHere = [
  'ContainerInspect: Config.ArgsEscaped',
  'ContainerInspect: Config.NetworkDisabled',
  'ContainerInspect: Config.OnBuild',
  'ContainerInspect: Config.Shell',
  'ContainerInspect: Config.StopSignal',
  'ContainerInspect: Config.StopTimeout',
  'ContainerInspect: HostConfig.Annotations',
  'ContainerInspect: HostConfig.Init',
  'ContainerInspect: HostConfig.StorageOpt',
  'ContainerInspect: HostConfig.Sysctls',
  // Of engines on containerd's snapshots.
  'ContainerInspect: ImageManifestDescriptor',
  'ContainerInspect: Storage',
  // Windows.
  'ContainerStats: memory_stats.commitbytes',
  'ContainerStats: memory_stats.commitpeakbytes',
  'ContainerStats: memory_stats.privateworkingset',
  'ContainerStats: pids_stats.limit',
  'ContainerStats: storage_stats.read_count_normalized',
  'ContainerStats: storage_stats.read_size_bytes',
  'ContainerStats: storage_stats.write_count_normalized',
  'ContainerStats: storage_stats.write_size_bytes',
  'ContainerWait: Error',
  'ExecInspect: ProcessConfig.user',
  // Swarm.
  'NetworkInspect: Peers',
  'NetworkInspect: Services',
];

/** cgroup v2 has no peak and no failures of memory to tell. */
const onlyV1 = ['ContainerStats: memory_stats.failcnt', 'ContainerStats: memory_stats.max_usage'];

test('every answer fits its schema in the newest version of the API', async () => {
  const router = new Router(() => true);
  const faults = new Set<string>();
  const driven = new Set<string>();
  const missing = new Map<string, readonly string[]>();
  await observe(peer.socket, maximumVersion, ({ wanted, status, value }) => {
    const path = wanted.path.split('?', 1)[0] ?? '';
    const match = router.match(wanted.method, path.replace(/^\/v[\d.]+/, ''));
    const operation = spec.operations.find(({ id }) => id === match?.operation);
    if (operation === undefined || value === undefined) return;
    const schema = operation.responses[String(status)];
    if (schema === undefined) return;
    if (status < 300) driven.add(operation.id);
    for (const fault of faultsOf(value, schema)) faults.add(`${operation.id} ${status}: ${fault}`);
    if (status >= 300) return;
    const lacking = missingFields(value, schema).map((field) => `${operation.id}: ${field}`);
    const before = missing.get(operation.id);
    missing.set(
      operation.id,
      before === undefined ? lacking : before.filter((field) => lacking.includes(field)),
    );
  });
  assert.deepEqual(
    [...faults].filter((fault) => !beyondSchema.has(fault)),
    [],
  );
  const ours = [...missing.values()].flat().filter((field) => /^(Container|Exec|Network)/.test(field));
  assert.deepEqual(
    ours.filter((field) => !notHere.includes(field) && !onlyV1.includes(field)),
    [],
  );
  const withSchema = spec.operations.filter(
    ({ id, path, responses }) =>
      areas.test(path) &&
      !elsewhere.has(id) &&
      operations.some((line) => line.startsWith(`${id} `)) &&
      Object.entries(responses).some(([status, schema]) => status.startsWith('2') && schema !== undefined),
  );
  assert.deepEqual(
    withSchema.map(({ id }) => id).filter((id) => !driven.has(id)),
    [],
  );
});

/** Every field of a create that inspect tells again, none with its default. */
const config = {
  Hostname: 'host',
  Domainname: 'example.org',
  User: '1:2',
  AttachStdout: true,
  OpenStdin: true,
  StdinOnce: true,
  Tty: true,
  Env: ['A=b', 'PATH=/bin'],
  Cmd: ['-c', 'true'],
  Entrypoint: ['sh'],
  Image: 'busybox',
  WorkingDir: '/tmp',
  Labels: { a: 'b', __proto__x: 'y' },
  ExposedPorts: { '80/tcp': {}, '53/udp': {} },
  Volumes: { '/data': {} },
  Healthcheck: {
    Test: ['CMD', 'true'],
    Interval: 2e9,
    Timeout: 3e9,
    StartPeriod: 4e9,
    StartInterval: 5e9,
    Retries: 6,
  },
  StopSignal: 'SIGINT',
  StopTimeout: 7,
  Shell: ['sh', '-x'],
  OnBuild: ['RUN true'],
};
const hostConfig = {
  Binds: ['/tmp:/host:ro'],
  LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '3' } },
  NetworkMode: 'bridge',
  PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
  RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 },
  ConsoleSize: [24, 80],
  Annotations: { 'org.example.note': 'yes' },
  CapAdd: ['NET_ADMIN'],
  CapDrop: ['MKNOD'],
  CgroupnsMode: 'host',
  Dns: ['192.0.2.1'],
  DnsOptions: ['ndots:2'],
  DnsSearch: ['example.org'],
  ExtraHosts: ['db:192.0.2.2'],
  GroupAdd: ['27'],
  IpcMode: 'shareable',
  OomScoreAdj: 100,
  PidMode: 'host',
  PublishAllPorts: true,
  ReadonlyRootfs: true,
  SecurityOpt: ['no-new-privileges'],
  Tmpfs: { '/run': 'size=1m' },
  ShmSize: 1048576,
  Sysctls: { 'net.ipv4.ip_forward': '1' },
  Init: true,
  CpuShares: 512,
  Memory: 67108864,
  MemoryReservation: 33554432,
  MemorySwap: 134217728,
  CpuPeriod: 50000,
  CpuQuota: 25000,
  CpusetCpus: '0',
  CpusetMems: '0',
  Devices: [{ PathOnHost: '/dev/zero', PathInContainer: '/dev/nought', CgroupPermissions: 'r' }],
  DeviceCgroupRules: ['c 1:3 r'],
  PidsLimit: 50,
  Ulimits: [{ Name: 'nofile', Soft: 100, Hard: 200 }],
  MaskedPaths: ['/proc/kcore'],
  ReadonlyPaths: ['/proc/sys'],
};

test('inspect tells every field of a create with its value', async () => {
  const http = new HttpClient(peer.socket);
  const body = JSON.stringify({ ...config, HostConfig: hostConfig });
  const created = await http.request('POST', '/containers/create?name=full', body);
  assert.equal(created.status, 201, created.body);
  const answer = JSON.parse((await http.request('GET', '/containers/full/json')).body) as {
    readonly Config: Readonly<Record<string, unknown>>;
    readonly HostConfig: Readonly<Record<string, unknown>>;
  };
  const told = (from: Readonly<Record<string, unknown>>, given: object): unknown =>
    Object.fromEntries(Object.keys(given).map((key) => [key, from[key]]));
  assert.deepEqual(told(answer.Config, config), config);
  assert.deepEqual(told(answer.HostConfig, hostConfig), hostConfig);
  await http.request('DELETE', '/containers/full?v=1');
  http.close();
});

const apiVersions = { '20.10': '1.41', '26.1': '1.45' } as const;

for (const version of ['26.1', '20.10'] as const) {
  test(`status, message and keys are those of dockerd ${version}`, async () => {
    const found = differences(recorded(version), await observe(peer.socket, apiVersions[version]));
    assert.deepEqual(unaccepted(version, found), []);
  });
}

test('older versions of the API are answered as dockerd 26.1 answers them, with the fields that later ones dropped', async () => {
  const text = readFileSync(join(import.meta.dirname, 'recorded/older-versions.json'), 'utf8');
  const reference = JSON.parse(text) as Readonly<Record<string, readonly Observed[]>>;
  assert.deepEqual(Object.keys(reference), [...olderVersions]);
  const seen = await observeVersions(peer.socket);
  for (const version of olderVersions) {
    const found = differences(reference[version] ?? [], seen[version] ?? []);
    assert.deepEqual(unacceptedInOlder(found), [], version);
  }
});

test('at least 300 requests are compared, and every reason to differ is explained', () => {
  assert.ok(allRequests.length >= 300, String(allRequests.length));
  const page = readFileSync(join(import.meta.dirname, '../../docs/api-deviations.md'), 'utf8');
  assert.deepEqual(
    [...reasons].filter((reason) => !page.includes(`\`${reason}\``)),
    [],
  );
});

test('a difference that is not listed is found', () => {
  const [first] = recorded('26.1');
  assert.ok(first !== undefined);
  const ours = [{ ...first, status: 418 }];
  assert.equal(unaccepted('26.1', differences([first], ours)).length, 1);
});
