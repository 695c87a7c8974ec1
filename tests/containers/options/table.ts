/**
 * For every flag of `run`, `create` and `update`, and every field of a create request, the test that observes its effect: inside the
 * container, in the kernel, or in the words that refuse it. `tests/cli/options-table.test.ts` holds the table against the references
 * and against the tests that there are.
 */

export interface Observed {
  /** Flags of `run` and `create`, without dashes. */
  readonly flags?: readonly string[];
  /** Flags of `update`. */
  readonly update?: readonly string[];
  /** `Config.X`, `HostConfig.X`, `Endpoint.X`, `Mount.X`, with the fields below them by dots. */
  readonly fields?: readonly string[];
  /** File below tests/, and the test's name (for tests that run for several runtimes or clients, the part that they share). */
  readonly by: readonly [file: string, name: string];
}

const mounts = 'containers/options/mounts.test.ts';
const devices = 'containers/options/devices.test.ts';
const isolation = 'containers/options/isolation.test.ts';
const running = 'containers/options/process.test.ts';
const resources = 'containers/options/resources.test.ts';
const network = 'containers/options/network.test.ts';
const engine = 'containers/engine.test.ts';
const health = 'containers/health.test.ts';

export const observed: readonly Observed[] = [
  // The process
  {
    flags: ['user', 'group-add'],
    fields: ['Config.User', 'HostConfig.GroupAdd'],
    by: [running, 'user and groups: numbers, names of the image, added groups'],
  },
  {
    flags: ['workdir'],
    fields: ['Config.WorkingDir'],
    by: [running, 'working directory: made, with its parents; a relative one is refused'],
  },
  {
    flags: ['env', 'env-file'],
    fields: ['Config.Env'],
    by: [running, 'environment: flags over files, names without a value from the client'],
  },
  {
    flags: ['label', 'label-file', 'cidfile', 'annotation', 'name', 'detach'],
    fields: ['Config.Labels', 'HostConfig.Annotations', 'HostConfig.ContainerIDFile'],
    by: [running, 'labels, annotations and the id file'],
  },
  {
    flags: ['init'],
    fields: ['HostConfig.Init'],
    by: [running, 'init: tini is the first process, reaps, and passes signals on'],
  },
  { flags: ['ulimit'], fields: ['HostConfig.Ulimits'], by: [running, 'ulimits'] },
  {
    flags: ['oom-score-adj'],
    fields: ['HostConfig.OomScoreAdj'],
    by: [running, 'out-of-memory score, with the kernel’s range'],
  },
  {
    flags: ['read-only'],
    fields: ['HostConfig.ReadonlyRootfs'],
    by: [running, 'a read-only root, but for tmpfs and volumes'],
  },
  {
    flags: ['stop-signal', 'stop-timeout'],
    fields: ['Config.StopSignal', 'Config.StopTimeout'],
    by: [running, 'stop signal and stop timeout'],
  },
  {
    flags: ['entrypoint', 'tty', 'interactive', 'attach', 'rm', 'sig-proxy'],
    fields: [
      'Config.Entrypoint',
      'Config.Cmd',
      'Config.Image',
      'Config.Tty',
      'Config.OpenStdin',
      'Config.StdinOnce',
      'Config.AttachStdin',
      'Config.AttachStdout',
      'Config.AttachStderr',
      'HostConfig.AutoRemove',
    ],
    by: [running, 'entrypoint, tty, interactive, attach, exit codes'],
  },
  {
    flags: ['runtime', 'platform', 'pull', 'quiet'],
    fields: ['HostConfig.Runtime'],
    by: [running, 'runtime, platform and pull'],
  },
  {
    flags: ['storage-opt'],
    fields: ['HostConfig.StorageOpt'],
    by: [
      'storage/size-limits.test.ts',
      'a snapshot holds what it may, also after a restart, and gives its number back',
    ],
  },
  {
    flags: ['cpu-count', 'cpu-percent', 'io-maxiops', 'io-maxbandwidth'],
    fields: [
      'HostConfig.CpuCount',
      'HostConfig.CpuPercent',
      'HostConfig.IOMaximumIOps',
      'HostConfig.IOMaximumBandwidth',
    ],
    by: [running, 'what is not for this system is refused, or warned about, and never passed over'],
  },
  {
    flags: ['kernel-memory', 'disable-content-trust', 'use-api-socket', 'help'],
    fields: ['Config.ArgsEscaped', 'Config.OnBuild', 'Config.Shell', 'HostConfig.Cgroup'],
    by: [running, 'what is of the past or of the image alone changes nothing'],
  },
  { flags: ['detach-keys'], by: ['clients/docker-cli.test.ts', 'Ctrl-P Ctrl-Q detaches, attach comes back'] },
  {
    fields: ['HostConfig.ConsoleSize'],
    by: [
      'clients/docker-cli.test.ts',
      'run -it: a terminal with the size of the window, Ctrl-C and an exit code',
    ],
  },

  // What keeps it apart
  {
    flags: ['userns'],
    fields: ['HostConfig.UsernsMode'],
    by: [
      'security/userns.test.ts',
      'what needs the host’s users is refused in dockerd’s words, and runs with --userns=host',
    ],
  },
  {
    flags: ['cgroupns'],
    fields: ['HostConfig.CgroupnsMode'],
    by: [isolation, "each namespace is the container's own, or the host's when that is asked for"],
  },
  {
    flags: ['pid', 'ipc', 'network'],
    fields: ['HostConfig.PidMode', 'HostConfig.IpcMode', 'HostConfig.NetworkMode'],
    by: [isolation, 'another container’s namespaces are joined, by name and after a rename'],
  },
  {
    flags: ['isolation'],
    fields: ['HostConfig.Isolation'],
    by: [isolation, 'what cannot be joined is refused in words'],
  },
  {
    flags: ['shm-size'],
    fields: ['HostConfig.ShmSize'],
    by: [isolation, 'shared memory: its size, none, the host’s'],
  },
  {
    flags: ['hostname', 'domainname', 'uts'],
    fields: ['Config.Hostname', 'Config.Domainname', 'HostConfig.UTSMode'],
    by: [isolation, 'hostname and domain'],
  },
  {
    flags: ['cap-add', 'cap-drop'],
    fields: ['HostConfig.CapAdd', 'HostConfig.CapDrop'],
    by: [isolation, 'capabilities: Docker’s fourteen, added, dropped, all and none'],
  },
  {
    flags: ['privileged'],
    fields: ['HostConfig.Privileged'],
    by: [isolation, 'privileged: all capabilities, all devices, no filter, no masks, /sys writable'],
  },
  {
    flags: ['security-opt'],
    fields: ['HostConfig.SecurityOpt', 'HostConfig.MaskedPaths', 'HostConfig.ReadonlyPaths'],
    by: [isolation, 'security options: no-new-privileges, seccomp, system paths, cgroups, labels'],
  },
  {
    flags: ['sysctl'],
    fields: ['HostConfig.Sysctls'],
    by: [isolation, 'sysctls of the container’s namespaces; others are refused, by the API too'],
  },

  // Devices
  {
    flags: ['device'],
    fields: ['HostConfig.Devices'],
    by: [devices, '--device: as on the host, elsewhere, with fewer rights; crun and runc'],
  },
  {
    flags: ['device-cgroup-rule'],
    fields: ['HostConfig.DeviceCgroupRules'],
    by: [devices, 'a device that is not given cannot be opened, made by hand or not; a rule opens it'],
  },
  {
    flags: ['gpus'],
    fields: ['HostConfig.DeviceRequests'],
    by: [devices, '--gpus: Docker’s error without a driver; with a CDI specification its devices'],
  },

  // Mounts
  {
    flags: ['volume', 'mount'],
    fields: [
      'HostConfig.Binds',
      'HostConfig.Mounts',
      'Mount.Type',
      'Mount.Source',
      'Mount.Target',
      'Mount.ReadOnly',
    ],
    by: [mounts, 'a bind is writable, read-only with all below it, or read-only alone'],
  },
  {
    fields: ['Mount.BindOptions.ReadOnlyNonRecursive', 'Mount.BindOptions.ReadOnlyForceRecursive'],
    by: [mounts, 'a bind is writable, read-only with all below it, or read-only alone'],
  },
  {
    fields: ['Mount.BindOptions.NonRecursive'],
    by: [mounts, 'without recursion what is mounted below the source stays out'],
  },
  { fields: ['Mount.BindOptions.Propagation'], by: [mounts, 'propagation reaches the container as asked'] },
  {
    fields: ['Mount.BindOptions.CreateMountpoint'],
    by: [mounts, 'sources: missing ones are made for -v and bind-create-src, and refused for --mount'],
  },
  {
    fields: [
      'Config.Volumes',
      'Mount.VolumeOptions.NoCopy',
      'Mount.VolumeOptions.Labels',
      'Mount.VolumeOptions.Subpath',
      'Mount.VolumeOptions.DriverConfig',
    ],
    by: [
      mounts,
      'volumes: filled from the image, not with nocopy; a part by its subpath; options of the driver',
    ],
  },
  {
    flags: ['tmpfs'],
    fields: [
      'HostConfig.Tmpfs',
      'Mount.TmpfsOptions.SizeBytes',
      'Mount.TmpfsOptions.Mode',
      'Mount.TmpfsOptions.Options',
    ],
    by: [mounts, "a tmpfs takes Docker's defaults, and the user's options over them"],
  },
  {
    fields: ['Mount.ImageOptions.Subpath'],
    by: [mounts, 'an image is mounted with what it holds, in part or as a whole'],
  },
  {
    flags: ['volumes-from'],
    fields: ['HostConfig.VolumesFrom'],
    by: [mounts, 'volumes-from takes binds, volumes and images over, in the part that was mounted'],
  },
  {
    flags: ['volume-driver'],
    fields: ['HostConfig.VolumeDriver', 'Mount.Consistency'],
    by: [mounts, 'what cannot be mounted is refused in words'],
  },

  // Limits
  {
    flags: [
      'cpu-shares',
      'cpu-quota',
      'cpu-period',
      'cpu-rt-runtime',
      'cpu-rt-period',
      'cpuset-cpus',
      'cpuset-mems',
      'memory',
      'memory-reservation',
      'memory-swap',
      'memory-swappiness',
      'oom-kill-disable',
      'pids-limit',
      'device-read-bps',
      'device-write-bps',
      'device-read-iops',
      'device-write-iops',
    ],
    fields: [
      'HostConfig.CpuShares',
      'HostConfig.CpuQuota',
      'HostConfig.CpuPeriod',
      'HostConfig.CpuRealtimeRuntime',
      'HostConfig.CpuRealtimePeriod',
      'HostConfig.CpusetCpus',
      'HostConfig.CpusetMems',
      'HostConfig.Memory',
      'HostConfig.MemoryReservation',
      'HostConfig.MemorySwap',
      'HostConfig.MemorySwappiness',
      'HostConfig.OomKillDisable',
      'HostConfig.PidsLimit',
      'HostConfig.BlkioDeviceReadBps',
      'HostConfig.BlkioDeviceWriteBps',
      'HostConfig.BlkioDeviceReadIOps',
      'HostConfig.BlkioDeviceWriteIOps',
    ],
    by: [resources, "every limit of run is in the kernel's file"],
  },
  {
    flags: ['cpus', 'cgroup-parent'],
    fields: ['HostConfig.NanoCpus', 'HostConfig.CgroupParent'],
    by: [resources, '--cpus, --cgroup-parent and no limit on processes'],
  },
  {
    flags: ['blkio-weight', 'blkio-weight-device'],
    update: ['blkio-weight'],
    fields: ['HostConfig.BlkioWeight', 'HostConfig.BlkioWeightDevice'],
    by: [resources, 'block weights, where the kernel keeps them'],
  },
  {
    update: [
      'cpu-period',
      'cpu-quota',
      'cpu-rt-period',
      'cpu-rt-runtime',
      'cpu-shares',
      'cpuset-cpus',
      'cpuset-mems',
      'memory',
      'memory-reservation',
      'memory-swap',
      'pids-limit',
      'restart',
    ],
    by: [resources, 'update changes every limit of a running container, in the kernel and in the record'],
  },
  { update: ['cpus'], by: [resources, 'update in words: conflicts, ranges, what cannot change'] },

  // The network, logs, and what happens over time
  {
    flags: ['add-host', 'dns', 'dns-search', 'dns-option'],
    fields: ['HostConfig.ExtraHosts', 'HostConfig.Dns', 'HostConfig.DnsSearch', 'HostConfig.DnsOptions'],
    by: [network, 'hosts and name servers'],
  },
  {
    flags: ['ip', 'ip6', 'link-local-ip', 'mac-address', 'network-alias'],
    fields: ['Endpoint.IPAMConfig', 'Endpoint.MacAddress', 'Endpoint.Aliases', 'Endpoint.DriverOpts'],
    by: [network, 'addresses of one’s own: IPv4, IPv6, link-local, hardware, alias, driver options'],
  },
  {
    flags: ['publish', 'publish-all', 'expose'],
    fields: ['Config.ExposedPorts', 'HostConfig.PortBindings', 'HostConfig.PublishAllPorts'],
    by: [network, 'published and exposed ports'],
  },
  {
    flags: ['link'],
    fields: ['HostConfig.Links', 'Endpoint.Links'],
    by: [network, 'links on the default bridge'],
  },
  { fields: ['Config.NetworkDisabled'], by: [network, 'no network'] },
  {
    fields: ['Endpoint.GwPriority'],
    by: ['network/gateways.test.ts', 'a source address of choice, and an interface that is trusted'],
  },
  {
    flags: ['log-driver', 'log-opt'],
    fields: ['HostConfig.LogConfig'],
    by: [network, 'logs: the driver and its options'],
  },
  {
    flags: [
      'health-cmd',
      'health-interval',
      'health-retries',
      'health-timeout',
      'health-start-period',
      'health-start-interval',
    ],
    fields: ['Config.Healthcheck'],
    by: [health, 'a check goes from starting to healthy to unhealthy and back, with events'],
  },
  { flags: ['no-healthcheck'], by: [health, 'no check, and one of the image that is switched off'] },
  {
    flags: ['restart'],
    fields: ['HostConfig.RestartPolicy'],
    by: [engine, 'restart policies: on-failure counts, a stop ends it'],
  },
];
