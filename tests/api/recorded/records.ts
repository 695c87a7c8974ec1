/** The engine's own records of the containers that were recorded. */

import type { ContainerRecord, EndpointRecord, MountPoint } from '../../../src/core/model/container.ts';
import { initialState } from '../../../src/core/model/container.ts';

const volume = (name: string, destination: string, mode: string, rw: boolean): MountPoint => ({
  type: 'volume',
  name,
  source: `/var/lib/docker/volumes/${name}/_data`,
  destination,
  driver: 'local',
  mode,
  rw,
  propagation: '',
});

const maskedPaths = [
  'asound',
  'acpi',
  'kcore',
  'keys',
  'latency_stats',
  'timer_list',
  'timer_stats',
  'sched_debug',
  'scsi',
];
const security = {
  MaskedPaths: [...maskedPaths.map((name) => `/proc/${name}`), '/sys/firmware'],
  ReadonlyPaths: ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`),
};

/** The docker CLI sends these empty, and what was sent is what inspect tells. */
const emptyLists = {
  Dns: [],
  DnsOptions: [],
  DnsSearch: [],
  BlkioWeightDevice: [],
  BlkioDeviceReadBps: [],
  BlkioDeviceWriteBps: [],
  BlkioDeviceReadIOps: [],
  BlkioDeviceWriteIOps: [],
  Devices: [],
  Ulimits: [],
};

const bridge: EndpointRecord = {
  networkId: 'c32350baf85393f2d52c350d69573e37dddef26cfef00cd9421c0cec5368669b',
  networkName: 'bridge',
  spec: {},
  endpointId: 'bdb960887940569906ca4198bdb0b49d581de39ba6c229ddfcd9f2679bf528b2',
  macAddress: '02:42:ac:11:00:02',
  ipv4: '172.17.0.2',
  ipv4PrefixLength: 16,
  ipv4Gateway: '172.17.0.1',
  ipv6: '',
  ipv6PrefixLength: 0,
  ipv6Gateway: '',
  dnsNames: [],
  interfaceName: 'eth0',
  hostInterfaceName: 'veth1',
};

const id = '39503adb1f698a0f379be03f675b1849a6bdccccdf314de3c0460cf28dccdb32';
const anonymous = 'ce666664e30b6492d7d49e344bd9a6cfeb78ff57b99cd713f8f5d82f1d56dc89';

export const web: ContainerRecord = {
  id,
  name: 'web',
  createdAt: '2026-11-21T10:26:07.345551506Z',
  config: {
    Hostname: '39503adb1f69',
    ExposedPorts: { '443/tcp': {}, '80/tcp': {}, '90/udp': {} },
    Env: ['A=b'],
    Cmd: ['sleep', '1000'],
    Image: 'busybox',
    Volumes: { '/data': {} },
    Labels: { x: 'y' },
  },
  hostConfig: {
    ...security,
    ...emptyLists,
    Binds: ['vol1:/v', 'vol2:/w:ro', '/tmp:/host'],
    NetworkMode: 'default',
    PortBindings: {
      '80/tcp': [{ HostIp: '', HostPort: '8080' }],
      '90/udp': [{ HostIp: '127.0.0.1', HostPort: '9090' }],
    },
    RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
    CgroupnsMode: 'host',
    Tmpfs: { '/t': '' },
    Memory: 67108864,
    NanoCpus: 500000000,
    MemorySwap: 134217728,
    OomKillDisable: false,
    Mounts: [{ Type: 'tmpfs', Target: '/tt' }],
  },
  imageId: 'sha256:2a33ccfebb79008edba2595f251cb4f7a73678a376f9580bea9c94fa4d2acc9f',
  imageRef: 'busybox',
  platform: 'linux/amd64',
  path: 'sleep',
  args: ['1000'],
  driver: 'overlay2',
  snapshotKey: id,
  mounts: [
    volume('vol1', '/v', 'z', true),
    volume('vol2', '/w', 'ro', false),
    { type: 'bind', source: '/tmp', destination: '/host', mode: '', rw: true, propagation: 'rslave' },
    { type: 'tmpfs', source: '', destination: '/tt', mode: '', rw: true, propagation: '' },
    { type: 'tmpfs', source: '', destination: '/t', mode: '', rw: true, propagation: '' },
    { ...volume(anonymous, '/data', '', true), anonymous: true },
  ],
  endpoints: { bridge },
  ports: [
    { protocol: 'tcp', containerPort: 80, hostIp: '0.0.0.0', hostPort: 8080 },
    { protocol: 'tcp', containerPort: 80, hostIp: '::', hostPort: 8080 },
    { protocol: 'udp', containerPort: 90, hostIp: '127.0.0.1', hostPort: 9090 },
  ],
  state: { ...initialState, status: 'running', pid: 205, startedAt: '2026-11-21T10:26:07.583394292Z' },
  restartCount: 0,
  manuallyStopped: false,
  logPath: `/var/lib/docker/containers/${id}/${id}-json.log`,
  runtime: 'runc',
};
