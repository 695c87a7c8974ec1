/** Containers and the volumes that they mount. */

import type { ContainerRecord } from '../core/model/container.ts';
import { createFileAttributes } from '../host/file-attributes.ts';
import { createContainers, type ContainerDeps } from '../services/containers/index.ts';
import { openVolumes, type VolumeService, type VolumeUse } from '../services/volumes/index.ts';
import type { Base } from './base.ts';
import { changeUnit } from './cgroup-driver.ts';

/** All containers that there are, asked at the moment of use. */
export type Records = () => readonly ContainerRecord[];

export function buildVolumes(base: Base, containers: Records): Promise<VolumeService> {
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

export function buildContainers(
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
    changeUnit: (change) => changeUnit(change),
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
      defaultWritableSize: options.writableSize,
      defaultShmSize: options.containerDefaults.shmSize,
      defaultIpcMode: options.containerDefaults.ipcMode,
      defaultCgroupnsMode: options.containerDefaults.cgroupnsMode,
      idMapping: base.remap?.mapping,
      platform,
    },
  });
}
