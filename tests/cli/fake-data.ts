/** Objects that the fake engine knows. Ages are relative to now, so that both clients print the same words. */

const ago = (seconds: number): number => Math.floor(Date.now() / 1000) - seconds;
const isoAgo = (seconds: number): string => new Date((ago(seconds) * 1000)).toISOString().replace('.000Z', '.123456789Z');
const hex = (seed: string): string => seed.repeat(64).slice(0, 64);

const base = { HostConfig: { NetworkMode: 'bridge' }, NetworkSettings: { Networks: { bridge: { IPAddress: '172.17.0.2' } } } };

export const CONTAINERS = [
  {
    ...base,
    Id: hex('a1'), Names: ['/web'], Image: 'nginx:1.25', ImageID: `sha256:${hex('e1')}`,
    Command: '/docker-entrypoint.sh nginx -g "daemon off;"', Created: ago(7300), State: 'running', Status: 'Up 2 hours',
    Ports: [
      { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' }, { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { PrivatePort: 443, Type: 'tcp' }, { IP: '0.0.0.0', PrivatePort: 9000, PublicPort: 9000, Type: 'tcp' },
      { IP: '0.0.0.0', PrivatePort: 9001, PublicPort: 9001, Type: 'tcp' }, { PrivatePort: 53, Type: 'udp' }, { PrivatePort: 54, Type: 'udp' },
    ],
    Labels: { 'com.example.role': 'front', app: 'shop' }, SizeRw: 1095, SizeRootFs: 187_000_000,
    Mounts: [{ Type: 'volume', Name: 'data-volume-with-a-long-name', Source: '/v', Driver: 'local', Destination: '/data' }, { Type: 'bind', Source: '/srv', Destination: '/srv' }],
  },
  {
    ...base,
    Id: hex('b2'), Names: ['/db', '/web/db'], Image: 'sha256:' + hex('e2'), ImageID: `sha256:${hex('e2')}`, Command: 'sleep 1000', Created: ago(65),
    State: 'exited', Status: 'Exited (0) 3 seconds ago', Ports: [], Labels: {}, SizeRw: 0, SizeRootFs: 0, Mounts: [],
  },
  {
    ...base,
    Id: hex('c3'), Names: ['/käse'], Image: 'busybox:latest@sha256:' + hex('d4'), ImageID: `sha256:${hex('e3')}`, Command: 'sh', Created: ago(86_400 * 40),
    State: 'created', Status: 'Created', Ports: [], Labels: null, SizeRw: 12, SizeRootFs: 4_261_550, Mounts: [],
  },
];

export const IMAGES = [
  { Id: `sha256:${hex('e1')}`, ParentId: '', RepoTags: ['nginx:1.25', 'nginx:latest', 'localhost:5000/team/nginx:1.25'], RepoDigests: [`nginx@sha256:${hex('d1')}`], Created: ago(86_400 * 9), Size: 187_123_456, SharedSize: -1, Containers: -1, Labels: { a: 'b' } },
  { Id: `sha256:${hex('e2')}`, ParentId: '', RepoTags: [], RepoDigests: [`busybox@sha256:${hex('d2')}`], Created: ago(86_400 * 400), Size: 4_261_550, SharedSize: -1, Containers: -1, Labels: null },
  { Id: `sha256:${hex('e3')}`, ParentId: '', RepoTags: [], RepoDigests: [], Created: ago(30), Size: 999, SharedSize: -1, Containers: -1, Labels: null },
];

export const CONTAINER_INSPECT = {
  Id: hex('a1'), Created: '2026-01-02T03:04:05.123456789Z', Path: 'nginx', Args: ['-g', 'daemon off;'],
  State: { Status: 'running', Running: true, Paused: false, Restarting: false, OOMKilled: false, Dead: false, Pid: 4242, ExitCode: 0, Error: '', StartedAt: '2026-01-02T03:04:06Z', FinishedAt: '0001-01-01T00:00:00Z' },
  Image: `sha256:${hex('e1')}`, ResolvConfPath: '', HostnamePath: '', HostsPath: '', LogPath: '', Name: '/web', RestartCount: 0, Driver: 'overlay2', Platform: 'linux',
  MountLabel: '', ProcessLabel: '', AppArmorProfile: '', ExecIDs: null,
  HostConfig: { Binds: null, ContainerIDFile: '', LogConfig: { Type: 'json-file', Config: {} }, NetworkMode: 'bridge', PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] }, RestartPolicy: { Name: 'no', MaximumRetryCount: 0 }, AutoRemove: false, Memory: 0 },
  GraphDriver: { Data: null, Name: 'overlay2' }, Mounts: [],
  Config: { Hostname: 'a1a1', Domainname: '', User: '', AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: false, OpenStdin: true, StdinOnce: false, Env: ['PATH=/usr/bin', 'A=<b>&c'], Cmd: ['nginx'], Image: 'nginx:1.25', Volumes: null, WorkingDir: '', Entrypoint: null, Labels: { 'com.example.role': 'front' } },
  NetworkSettings: { Bridge: '', SandboxID: 'x', SandboxKey: '', Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }, { HostIp: '::', HostPort: '8080' }], '443/tcp': null }, IPAddress: '172.17.0.2', Networks: { bridge: { IPAMConfig: null, Links: null, Aliases: null, NetworkID: hex('f1'), EndpointID: 'e', Gateway: '172.17.0.1', IPAddress: '172.17.0.2', IPPrefixLen: 16, MacAddress: '02:42:ac:11:00:02' } } },
};

export const IMAGE_INSPECT = {
  Id: `sha256:${hex('e2')}`, RepoTags: ['busybox:latest'], RepoDigests: [], Parent: '', Comment: '', Created: '2024-09-26T21:31:42Z', DockerVersion: '', Author: '',
  Config: { Env: ['PATH=/bin'], Cmd: ['sh'], Labels: null }, Architecture: 'amd64', Os: 'linux', Size: 4_261_550,
  GraphDriver: { Data: null, Name: 'overlay2' }, RootFS: { Type: 'layers', Layers: ['sha256:1', 'sha256:2'] }, Metadata: { LastTagTime: '0001-01-01T00:00:00Z' },
};

const network = (name: string, driver: string, seed: string) => ({
  Name: name, Id: hex(seed), Created: '2026-01-02T03:04:05.123456789Z', Scope: 'local', Driver: driver, EnableIPv4: true, EnableIPv6: false,
  IPAM: { Driver: 'default', Options: null, Config: [{ Subnet: '172.17.0.0/16', Gateway: '172.17.0.1' }] }, Internal: false, Attachable: false, Ingress: false,
  ConfigFrom: { Network: '' }, ConfigOnly: false, Containers: {}, Options: {}, Labels: { tier: 'back' },
});
export const NETWORKS = [network('none', 'null', 'f3'), network('bridge', 'bridge', 'f1'), network('net10', 'bridge', 'f4'), network('net9', 'bridge', 'f5'), network('host', 'host', 'f2')];
export const NETWORK_INSPECT = NETWORKS[1];

export const VOLUMES = [
  { CreatedAt: '2026-01-02T03:04:05Z', Driver: 'local', Labels: { keep: 'yes' }, Mountpoint: '/var/lib/slipway/volumes/data/_data', Name: 'data', Options: null, Scope: 'local' },
  { CreatedAt: '2026-01-02T03:04:05Z', Driver: 'local', Labels: null, Mountpoint: '/var/lib/slipway/volumes/a1b2/_data', Name: 'a1b2', Options: null, Scope: 'local' },
];

export const VERSION_ANSWER = {
  Platform: { Name: 'Slipway Engine' },
  Components: [
    { Name: 'Engine', Version: '0.1.0', Details: { ApiVersion: '1.50', Arch: 'amd64', BuildTime: '2026-01-02T03:04:05.000000000+00:00', Experimental: 'false', GitCommit: 'abc1234', GoVersion: 'n/a', KernelVersion: '6.18', MinAPIVersion: '1.24', Os: 'linux' } },
    { Name: 'crun', Version: '1.8.1', Details: { GitCommit: 'f8a096be' } },
  ],
  Version: '0.1.0', ApiVersion: '1.50', MinAPIVersion: '1.24', GitCommit: 'abc1234', GoVersion: 'n/a', Os: 'linux', Arch: 'amd64', KernelVersion: '6.18', BuildTime: '2026-01-02T03:04:05.000000000+00:00',
};

export const INFO = {
  ID: '7b3c', Containers: 3, ContainersRunning: 1, ContainersPaused: 0, ContainersStopped: 2, Images: 3, Driver: 'overlay2',
  DriverStatus: [['Backing Filesystem', 'extfs'], ['Supports d_type', 'true'], ['Native Overlay Diff', 'true']],
  Plugins: { Volume: ['local'], Network: ['bridge', 'host', 'null'], Authorization: null, Log: ['json-file', 'local', 'none'] },
  MemoryLimit: true, SwapLimit: false, CpuCfsPeriod: true, CpuCfsQuota: true, CPUShares: true, CPUSet: true, PidsLimit: true, IPv4Forwarding: true,
  Debug: false, NFd: 30, OomKillDisable: false, NGoroutines: 40, SystemTime: '2026-01-02T03:04:05Z', LoggingDriver: 'json-file', CgroupDriver: 'cgroupfs', CgroupVersion: '1',
  NEventsListener: 0, KernelVersion: '6.18.0', OperatingSystem: 'Debian GNU/Linux 12 (bookworm)', OSVersion: '12', OSType: 'linux', Architecture: 'x86_64',
  IndexServerAddress: 'https://index.docker.io/v1/', RegistryConfig: { InsecureRegistryCIDRs: ['127.0.0.0/8', '::1/128'], IndexConfigs: { 'docker.io': { Name: 'docker.io', Mirrors: [], Secure: true, Official: true } }, Mirrors: null },
  NCPU: 2, MemTotal: 25_769_803_776, GenericResources: null, DockerRootDir: '/var/lib/slipway', HttpProxy: '', HttpsProxy: '', NoProxy: '', Name: 'host1', Labels: [], ExperimentalBuild: false,
  ServerVersion: '0.1.0', Runtimes: { crun: { path: 'crun' }, runc: { path: 'runc' } }, DefaultRuntime: 'crun', Swarm: { NodeID: '', NodeAddr: '', LocalNodeState: 'inactive', ControlAvailable: false, Error: '', RemoteManagers: null },
  LiveRestoreEnabled: true, Isolation: '', InitBinary: 'docker-init', ContainerdCommit: { ID: 'abc' }, RuncCommit: { ID: 'def' }, InitCommit: { ID: 'ghi' }, SecurityOptions: ['name=seccomp,profile=builtin'],
  Warnings: ['WARNING: No swap limit support'],
};

export const STATS = {
  id: hex('a1'), name: '/web', read: '2026-01-02T03:04:06Z', preread: '2026-01-02T03:04:05Z', pids_stats: { current: 5, limit: 100 },
  blkio_stats: { io_service_bytes_recursive: [{ major: 8, minor: 0, op: 'read', value: 1_200_000 }, { major: 8, minor: 0, op: 'write', value: 3400 }] },
  num_procs: 0, storage_stats: {},
  cpu_stats: { cpu_usage: { total_usage: 2_500_000_000, usage_in_kernelmode: 1, usage_in_usermode: 1 }, system_cpu_usage: 20_000_000_000, online_cpus: 2, throttling_data: {} },
  precpu_stats: { cpu_usage: { total_usage: 2_400_000_000, usage_in_kernelmode: 1, usage_in_usermode: 1 }, system_cpu_usage: 18_000_000_000, online_cpus: 2, throttling_data: {} },
  memory_stats: { usage: 15_000_000, limit: 1_073_741_824, stats: { total_inactive_file: 2_000_000, inactive_file: 2_000_000 } },
  networks: { eth0: { rx_bytes: 1500, rx_packets: 3, tx_bytes: 648, tx_packets: 2 } },
};

export const EVENTS = [
  { status: 'create', id: hex('a1'), from: 'nginx', Type: 'container', Action: 'create', Actor: { ID: hex('a1'), Attributes: { image: 'nginx', name: 'web' } }, scope: 'local', time: 1_767_323_045, timeNano: 1_767_323_045_123_456_789 },
  { Type: 'network', Action: 'connect', Actor: { ID: hex('f1'), Attributes: { container: hex('a1'), name: 'bridge', type: 'bridge' } }, scope: 'local', time: 1_767_323_046, timeNano: 1_767_323_046_000_000_000 },
  { Type: 'image', Action: 'untag', Actor: { ID: 'sha256:e1', Attributes: {} }, scope: 'local', time: 1_767_323_047, timeNano: 1_767_323_047_500_000_000 },
];

export const DISK_USAGE = {
  LayersSize: 191_385_006,
  Images: [
    { ...IMAGES[0], SharedSize: 4_000_000, Containers: 1 },
    { ...IMAGES[2], SharedSize: 0, Containers: 0 },
  ],
  Containers: CONTAINERS,
  Volumes: [{ ...VOLUMES[0], UsageData: { Size: 123_456, RefCount: 1 } }, { ...VOLUMES[1], UsageData: { Size: 5000, RefCount: 0 } }],
  BuildCache: [{ ID: 'buildcacheid0001', Parent: '', Parents: null, Type: 'regular', Description: 'pulled from docker.io/library/busybox', InUse: false, Shared: false, Size: 1_500_000, CreatedAt: isoAgo(7200), LastUsedAt: isoAgo(3600), UsageCount: 2 }],
};
