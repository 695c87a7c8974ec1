/**
 * The names that dockerd's Go types have. Its messages about wrong types carry them, as
 * `json: cannot unmarshal string into Go struct field ContainerConfigWrapper.Tty of type bool`; recorded from dockerd 26.1.
 */

/** Go struct of a definition, or of an inline object (`Definition.Field`, `Operation`). */
export const goStructs: Readonly<Record<string, string>> = {
  ContainerCreate: 'runconfig.ContainerConfigWrapper',
  ContainerUpdate: 'container.UpdateConfig',
  ContainerExec: 'types.ExecConfig',
  ExecStart: 'types.ExecStartCheck',
  NetworkCreate: 'types.NetworkCreateRequest',
  NetworkConnectRequest: 'types.NetworkConnect',
  NetworkDisconnectRequest: 'types.NetworkDisconnect',
  VolumeCreateRequest: 'volume.CreateOptions',
  ContainerConfig: 'container.Config',
  HostConfig: 'container.HostConfig',
  'HostConfig.LogConfig': 'container.LogConfig',
  RestartPolicy: 'container.RestartPolicy',
  HealthConfig: 'v1.HealthcheckConfig',
  DeviceMapping: 'container.DeviceMapping',
  DeviceRequest: 'container.DeviceRequest',
  ThrottleDevice: 'blkiodev.ThrottleDevice',
  'Resources.BlkioWeightDevice': 'blkiodev.WeightDevice',
  'Resources.Ulimits': 'units.Ulimit',
  Mount: 'mount.Mount',
  'Mount.BindOptions': 'mount.BindOptions',
  'Mount.VolumeOptions': 'mount.VolumeOptions',
  'Mount.ImageOptions': 'mount.ImageOptions',
  'Mount.TmpfsOptions': 'mount.TmpfsOptions',
  'Mount.VolumeOptions.DriverConfig': 'mount.Driver',
  PortBinding: 'nat.PortBinding',
  NetworkingConfig: 'network.NetworkingConfig',
  EndpointSettings: 'network.EndpointSettings',
  EndpointIPAMConfig: 'network.EndpointIPAMConfig',
  AuthConfig: 'registry.AuthConfig',
  ConfigReference: 'network.ConfigReference',
  IPAM: 'network.IPAM',
  IPAMConfig: 'network.IPAMConfig',
};

/** Go structs that others embed, by definition: Go's messages name them on the way to a field. */
export const goEmbedded: Readonly<Record<string, string>> = {
  ContainerConfig: 'Config',
  Resources: 'Resources',
};

/** Fields whose Go type the schema does not tell. */
export const goFields: Readonly<Record<string, string>> = {
  'ContainerConfig.Cmd': 'strslice.StrSlice',
  'ContainerConfig.Entrypoint': 'strslice.StrSlice',
  'ContainerConfig.Shell': 'strslice.StrSlice',
  'ContainerConfig.StopTimeout': 'int',
  'HealthConfig.Interval': 'time.Duration',
  'HealthConfig.Timeout': 'time.Duration',
  'HealthConfig.StartPeriod': 'time.Duration',
  'HealthConfig.StartInterval': 'time.Duration',
  'HostConfig.ConsoleSize': '[2]uint',
  'ContainerExec.ConsoleSize': '[2]uint',
  'ExecStart.ConsoleSize': '[2]uint',
  'HostConfig.CapAdd': 'strslice.StrSlice',
  'HostConfig.CapDrop': 'strslice.StrSlice',
  'HostConfig.PortBindings': 'nat.PortMap',
  'ContainerConfig.ExposedPorts': 'nat.PortSet',
  'HostConfig.NetworkMode': 'container.NetworkMode',
  'HostConfig.IpcMode': 'container.IpcMode',
  'HostConfig.PidMode': 'container.PidMode',
  'HostConfig.UTSMode': 'container.UTSMode',
  'HostConfig.UsernsMode': 'container.UsernsMode',
  'HostConfig.CgroupnsMode': 'container.CgroupnsMode',
  'HostConfig.Cgroup': 'container.CgroupSpec',
  'HostConfig.Isolation': 'container.Isolation',
  'Resources.BlkioWeight': 'uint16',
  'Resources.BlkioWeightDevice': '[]*blkiodev.WeightDevice',
  'Resources.BlkioDeviceReadBps': '[]*blkiodev.ThrottleDevice',
  'Resources.BlkioDeviceWriteBps': '[]*blkiodev.ThrottleDevice',
  'Resources.BlkioDeviceReadIOps': '[]*blkiodev.ThrottleDevice',
  'Resources.BlkioDeviceWriteIOps': '[]*blkiodev.ThrottleDevice',
  'Resources.CpuShares': 'int64',
  'Resources.Ulimits': '[]*units.Ulimit',
  'ThrottleDevice.Rate': 'uint64',
  'Mount.Type': 'mount.Type',
  'Mount.Consistency': 'mount.Consistency',
  'Mount.BindOptions.Propagation': 'mount.Propagation',
  'Mount.TmpfsOptions.Mode': 'os.FileMode',
  'NetworkingConfig.EndpointsConfig': 'map[string]*network.EndpointSettings',
};

/** What those names are made of. */
export const goAliases: Readonly<Record<string, string>> = {
  'time.Duration': 'int64',
  'os.FileMode': 'uint32',
  'nat.PortMap': 'map[string][]nat.PortBinding',
  'nat.PortSet': 'map[string]struct{}',
  ...Object.fromEntries(
    [
      'NetworkMode',
      'IpcMode',
      'PidMode',
      'UTSMode',
      'UsernsMode',
      'CgroupnsMode',
      'CgroupSpec',
      'Isolation',
    ].map((name) => [`container.${name}`, 'string']),
  ),
  'mount.Type': 'string',
  'mount.Consistency': 'string',
  'mount.Propagation': 'string',
};

/** Fields that older clients send and this version of the schema no longer has. */
export const olderFields: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ContainerConfig: { MacAddress: 'string' },
  Resources: { KernelMemory: 'int64', KernelMemoryTCP: 'int64' },
  NetworkCreate: { CheckDuplicate: 'bool' },
  AuthConfig: { auth: 'string', email: 'string', identitytoken: 'string', registrytoken: 'string' },
};
