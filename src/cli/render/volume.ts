/** A volume in lists. */
import type { VolumeSummary } from '../../client/index.ts';
import { Struct } from '../../template/index.ts';
import { labelsText } from './container.ts';
import { humanSize4 } from './units.ts';

export const VOLUME_TITLES = {
  Availability: 'AVAILABILITY',
  Driver: 'DRIVER',
  Group: 'GROUP',
  Labels: 'LABELS',
  Links: 'LINKS',
  Mountpoint: 'MOUNTPOINT',
  Name: 'VOLUME NAME',
  Scope: 'SCOPE',
  Size: 'SIZE',
  Status: 'STATUS',
} as const;

const NOT_KNOWN = 'N/A';

export function volumeRow(volume: VolumeSummary): Struct {
  const usage = volume.UsageData ?? undefined;
  return new Struct(
    '*formatter.volumeContext',
    {
      Availability: () => NOT_KNOWN,
      Driver: () => volume.Driver,
      Group: () => NOT_KNOWN,
      Labels: () => labelsText(volume.Labels),
      Links: () => (usage === undefined || usage.RefCount < 0 ? NOT_KNOWN : String(usage.RefCount)),
      Mountpoint: () => volume.Mountpoint,
      Name: () => volume.Name,
      Scope: () => volume.Scope,
      Size: () => (usage === undefined || usage.Size < 0 ? NOT_KNOWN : humanSize4(usage.Size)),
      Status: () => NOT_KNOWN,
    },
    { Label: (name) => volume.Labels?.[String(name)] ?? '' },
  );
}
