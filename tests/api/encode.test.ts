import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeContainer, encodeExec, encodeSummary } from '../../src/api/encode/containers.ts';
import { encodeImage, encodeImageSummary } from '../../src/api/encode/images.ts';
import { encodeNetwork } from '../../src/api/encode/networks.ts';
import { encodeStats } from '../../src/api/encode/stats.ts';
import { encodeInfo, encodeVersion } from '../../src/api/encode/system.ts';
import { fixedNanoseconds, parseTimestamp, seconds } from '../../src/api/encode/time.ts';
import { encodeVolume } from '../../src/api/encode/volumes.ts';
import type { ContainerView, StatsSample } from '../../src/services/containers/index.ts';
import type { ImageDetails, ImageSummary } from '../../src/services/images/index.ts';
import { shapeDifference } from './compare/shape.ts';
import { engineInfo } from './recorded/engine.ts';
import { recorded } from './recorded/read.ts';
import { web } from './recorded/records.ts';

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

const folder = `/var/lib/docker/containers/${web.id}`;

function viewOf(answer: Readonly<Record<string, unknown>>): ContainerView {
  const graph = answer['GraphDriver'] as { Name: string; Data: Record<string, string> };
  const network = answer['NetworkSettings'] as { SandboxID: string; SandboxKey: string };
  return {
    record: web,
    health: undefined,
    execIds: answer['ExecIDs'] as string[],
    graphDriver: { name: graph.Name, data: graph.Data },
    sizes: { rw: 0, rootFs: 1982298 },
    hostnamePath: `${folder}/hostname`,
    hostsPath: `${folder}/hosts`,
    resolvConfPath: `${folder}/resolv.conf`,
    imageManifestDigest: undefined,
    sandboxId: network.SandboxID,
    sandboxKey: network.SandboxKey,
  };
}

test('inspect of a running container is what dockerd answered, to the last field', () => {
  const answer = recorded('inspect-web');
  assert.deepEqual(plain(encodeContainer(viewOf(answer), 41)), answer);
});

test('newer versions of inspect drop and add fields', () => {
  const answer = recorded('inspect-web');
  const fresh = encodeContainer(viewOf(answer), 52);
  assert.deepEqual(shapeDifference(answer, plain(fresh)), [
    '- HostConfig.KernelMemory: number',
    '- HostConfig.KernelMemoryTCP: number',
    '- Config.OnBuild: null',
    '- NetworkSettings.Bridge: string',
    '- NetworkSettings.HairpinMode: boolean',
    '- NetworkSettings.LinkLocalIPv6Address: string',
    '- NetworkSettings.LinkLocalIPv6PrefixLen: number',
    '- NetworkSettings.SecondaryIPAddresses: null',
    '- NetworkSettings.SecondaryIPv6Addresses: null',
    '- NetworkSettings.EndpointID: string',
    '- NetworkSettings.Gateway: string',
    '- NetworkSettings.GlobalIPv6Address: string',
    '- NetworkSettings.GlobalIPv6PrefixLen: number',
    '- NetworkSettings.IPAddress: string',
    '- NetworkSettings.IPPrefixLen: number',
    '- NetworkSettings.IPv6Gateway: string',
    '- NetworkSettings.MacAddress: string',
    '+ NetworkSettings.Networks.bridge.GwPriority: number',
    '+ NetworkSettings.Networks.bridge.DNSNames: null',
  ]);
});

/** dockerd lists mounts and ports in no fixed order. */
function sorted(entry: Readonly<Record<string, unknown>>): unknown {
  const byText = (list: unknown): string[] =>
    (list as unknown[]).map((item) => JSON.stringify(item, Object.keys(item as object).sort())).sort();
  return { ...entry, Mounts: byText(entry['Mounts']), Ports: byText(entry['Ports']) };
}

test('the row of a running container is what dockerd answered', () => {
  const rows = Object.values(recorded('list')) as Readonly<Record<string, unknown>>[];
  const row = rows.find((one) => one['Id'] === web.id);
  assert.ok(row !== undefined);
  const summary = {
    record: web,
    status: 'Up 2 seconds',
    image: 'busybox',
    health: undefined,
    sizes: undefined,
  };
  const { SizeRootFs: _, Mounts, ...expected } = row;
  // dockerd 20.10 leaves out where an anonymous volume lies.
  const mounts = (Mounts as { Name?: string; Source: string }[]).map((mount) =>
    mount.Source === '' && mount.Name !== undefined
      ? { ...mount, Source: `/var/lib/docker/volumes/${mount.Name}/_data` }
      : mount,
  );
  assert.deepEqual(
    sorted(plain(encodeSummary(summary, 41)) as Record<string, unknown>),
    sorted({ ...expected, Mounts: mounts }),
  );
});

test('an image is what dockerd answered', () => {
  const answer = recorded('image');
  const details: ImageDetails = {
    record: {
      id: answer['Id'] as string,
      config: {
        created: answer['Created'] as string,
        architecture: 'amd64',
        os: 'linux',
        comment: 'Imported from -',
        docker_version: '20.10.24+dfsg1',
        config: { Cmd: ['sh'] },
        rootfs: { type: 'layers', diff_ids: (answer['RootFS'] as { Layers: string[] }).Layers },
      },
      layers: [],
      tags: [],
      repoDigests: [],
      importedAt: '',
      lastTaggedAt: (answer['Metadata'] as { LastTagTime: string }).LastTagTime,
    },
    repoTags: ['busybox:latest'],
    repoDigests: [],
    created: answer['Created'] as string,
    size: answer['Size'] as number,
    descriptor: undefined,
    manifests: undefined,
    graphDriver: {
      name: 'overlay2',
      data: (answer['GraphDriver'] as { Data: Record<string, string> }).Data,
    },
  };
  const encoded = plain(encodeImage(details, 41)) as { ContainerConfig: { Labels: unknown } };
  // An image that says nothing about labels says null; a container says {}.
  encoded.ContainerConfig.Labels = null;
  assert.deepEqual(encoded, answer);
  const summary: ImageSummary = {
    id: 'sha256:1',
    parentId: '',
    repoTags: ['busybox:latest'],
    repoDigests: [],
    created: 1,
    size: 2,
    sharedSize: -1,
    containers: -1,
    labels: {},
    descriptor: undefined,
    manifests: undefined,
  };
  assert.deepEqual(shapeDifference(recorded('images')[0], plain(encodeImageSummary(summary, 41))), []);
});

test('a network and a volume are what dockerd answered', () => {
  const answer = recorded('net1');
  const network = {
    id: answer['Id'] as string,
    name: 'net1',
    createdAt: answer['Created'] as string,
    driver: 'bridge',
    scope: 'local',
    ipam: { driver: 'default', options: {}, pools: [{ subnet: '10.99.0.0/24', gateway: '' }] },
    enableIPv4: true,
    enableIPv6: false,
    internal: false,
    attachable: false,
    options: {},
    labels: { a: 'b' },
    predefined: false,
  } as const;
  const [containerId = '', member] =
    Object.entries(answer['Containers'] as Record<string, Record<string, string>>)[0] ?? [];
  const members = [
    {
      containerId,
      containerName: 'net',
      endpointId: member?.['EndpointID'] ?? '',
      macAddress: member?.['MacAddress'] ?? '',
      ipv4: '10.99.0.2/24',
      ipv6: '',
    },
  ];
  const subnets = [
    { subnet: '10.99.0.0/24', inUse: 4n, available: 252n },
    { subnet: 'fd00::/64', inUse: 2n, available: 2n ** 64n },
  ];
  const view = { network, members, subnets };
  assert.deepEqual(plain(encodeNetwork(view, true, 41)), answer);
  const lookups = { queries: 9, answered: 5, forwarded: 1, cached: 1, limited: 1, failed: 1 };
  const text = JSON.stringify(encodeNetwork(view, true, 52, lookups));
  assert.match(text, /"10\.99\.0\.0\/24":\{"IPsInUse":4,"DynamicIPsAvailable":252\}/);
  assert.match(text, /"fd00::\/64":\{"IPsInUse":2,"DynamicIPsAvailable":18446744073709551615\}/);
  assert.match(text, /"DNS":\{"Queries":9,"Answered":5,"Forwarded":1,"Cached":1,"Limited":1,"Failed":1\}/);
  assert.doesNotMatch(JSON.stringify(encodeNetwork(view, false, 52)), /Status/);
  const volume = recorded('volume');
  const encoded = encodeVolume({
    name: 'vol2',
    driver: 'local',
    options: {},
    labels: { k: 'v' },
    createdAt: volume['CreatedAt'] as string,
    mountpoint: volume['Mountpoint'] as string,
    anonymous: false,
  });
  assert.deepEqual(plain(encoded), volume);
});

test('stats and execs have the shape of those of dockerd', () => {
  const cpu = {
    totalUsage: 1,
    userUsage: 1,
    kernelUsage: 1,
    perCpuUsage: [1, 1],
    systemUsage: 1,
    onlineCpus: 2,
    throttling: { periods: 0, throttledPeriods: 0, throttledTime: 0 },
  };
  const answer = recorded('stats');
  const sample: StatsSample = {
    id: 'i',
    name: 'n',
    read: 'r',
    preread: 'p',
    running: true,
    cgroupVersion: 1,
    pids: { current: 1, limit: undefined },
    cpu,
    precpu: cpu,
    memory: {
      usage: 1,
      maxUsage: 1,
      failcnt: 0,
      limit: 1,
      stats: (answer['memory_stats'] as { stats: Record<string, number> }).stats,
    },
    blkio: { serviceBytes: [], serviced: [] },
    networks: {
      eth0: {
        rxBytes: 0,
        rxPackets: 0,
        rxErrors: 0,
        rxDropped: 0,
        txBytes: 0,
        txPackets: 0,
        txErrors: 0,
        txDropped: 0,
      },
    },
  };
  assert.deepEqual(shapeDifference(answer, plain(encodeStats(sample, 41))), []);
  const onV2 = JSON.stringify(encodeStats({ ...sample, cgroupVersion: 2 }, 52));
  assert.match(onV2, /"pids_stats":\{"current":1,"limit":18446744073709551615\}/);
  assert.match(onV2, /"os_type":"linux"/);
  const exec = encodeExec({
    id: 'e',
    containerId: 'c',
    running: false,
    exitCode: undefined,
    pid: 0,
    openStdin: false,
    openStdout: true,
    openStderr: false,
    canRemove: false,
    detachKeys: '',
    tty: false,
    entrypoint: 'sleep',
    arguments: ['1'],
    privileged: false,
    user: '',
  });
  assert.deepEqual(shapeDifference(recorded('exec'), plain(exec)), []);
});

test('info and version have every field that dockerd has, but those that nothing stands behind', () => {
  const gone = (name: string, encoded: unknown): string[] =>
    shapeDifference(recorded(name), plain(encoded)).filter((line) => line.startsWith('- '));
  const missing = gone('info', encodeInfo(engineInfo, 41)).map((line) => line.replace(/:.*/, ''));
  assert.deepEqual(
    missing.filter(
      (line) => !/Runtimes|IndexConfigs|AllowNondistributable|Warnings|Labels|Mirrors/.test(line),
    ),
    [],
  );
  const version = {
    engine: engineInfo.engine,
    kernelVersion: '6.1',
    architecture: 'amd64',
    runtimes: engineInfo.runtimes,
    nodeVersion: 'v24',
  };
  assert.deepEqual(gone('version', encodeVersion(version)), []);
});

test('times', () => {
  assert.equal(fixedNanoseconds('2026-01-02T03:04:05Z'), '2026-01-02T03:04:05.000000000Z');
  assert.equal(fixedNanoseconds('2026-01-02T03:04:05.1+02:00'), '2026-01-02T03:04:05.100000000+02:00');
  assert.equal(seconds('2026-11-21T10:26:07.345551506Z'), 1_795_256_767);
  assert.equal(parseTimestamp('1795256767.345551506'), 1_795_256_767_345_551_506n);
  assert.equal(parseTimestamp('2026-11-21T10:26:07.345551506Z'), 1_795_256_767_345_551_506n);
  assert.equal(parseTimestamp('1'), 1_000_000_000n);
  assert.equal(parseTimestamp(''), undefined);
  assert.throws(() => parseTimestamp('yesterday'), { kind: 'invalid' });
});
