/** Volumes as the API shows them. */

import type { VolumeRecord } from '../../core/model/volume.ts';
import type { VolumeUsage } from '../../services/volumes/index.ts';

function orNull(map: Readonly<Record<string, string>>): object | null {
  return Object.keys(map).length === 0 ? null : map;
}

export function encodeVolume(volume: VolumeRecord): object {
  return {
    CreatedAt: volume.createdAt,
    Driver: volume.driver,
    Labels: orNull(volume.labels),
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: orNull(volume.options),
    Scope: 'local',
  };
}

export function encodeVolumeUsage(usage: VolumeUsage): object {
  return { ...encodeVolume(usage.record), UsageData: { RefCount: usage.references, Size: usage.size } };
}
