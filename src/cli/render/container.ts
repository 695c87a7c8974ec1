/** A container in `ps`. */
import type { ContainerSummary } from '../../client/index.ts';
import { Struct } from '../../template/index.ts';
import { portsText } from './ports.ts';
import { ellipsis, humanDuration, humanSize, localTime, shortId } from './units.ts';
import { quote } from '../../template/index.ts';

export const CONTAINER_TITLES = {
  ID: 'CONTAINER ID',
  Names: 'NAMES',
  Image: 'IMAGE',
  Command: 'COMMAND',
  CreatedAt: 'CREATED AT',
  RunningFor: 'CREATED',
  Ports: 'PORTS',
  State: 'STATE',
  Status: 'STATUS',
  Size: 'SIZE',
  Labels: 'LABELS',
  Mounts: 'MOUNTS',
  LocalVolumes: 'LOCAL VOLUMES',
  Networks: 'NETWORKS',
} as const;

export function containerTable(size: boolean): string {
  const columns = '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}';
  return size ? `${columns}\t{{.Size}}` : columns;
}

export function containerRaw(size: boolean): string {
  return (
    'container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\nstate: {{- pad .State 1 0}}\n' +
    `status: {{- pad .Status 1 0}}\nnames: {{.Names}}\nlabels: {{- pad .Labels 1 0}}\nports: {{- pad .Ports 1 0}}\n${size ? 'size: {{.Size}}\n' : ''}`
  );
}

/** Own names without the slash; with links, only those when cut short. */
function namesText(names: readonly string[], truncate: boolean): string {
  const bare = names.map((name) => name.replace(/^\//, ''));
  const own = truncate ? bare.filter((name) => !name.includes('/')) : bare;
  return own.join(',');
}

function imageText(container: ContainerSummary, truncate: boolean): string {
  if (container.Image === '') return '<no image>';
  if (!truncate) return container.Image;
  const shortOfImage = shortId(container.ImageID);
  if (shortOfImage !== '' && shortOfImage === shortId(container.Image)) return shortOfImage;
  const at = container.Image.indexOf('@');
  // A name with tag and digest is shown without the digest.
  if (at > 0 && /:[^/]+$/.test(container.Image.slice(0, at))) return container.Image.slice(0, at);
  return container.Image;
}

function sizeText(container: ContainerSummary): string {
  const own = humanSize(container.SizeRw ?? 0);
  const total = container.SizeRootFs ?? 0;
  return total > 0 ? `${own} (virtual ${humanSize(total)})` : own;
}

export const labelsText = (labels: Readonly<Record<string, string>> | null | undefined): string =>
  Object.entries(labels ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(',');

function mountsText(container: ContainerSummary, truncate: boolean): string {
  return (container.Mounts ?? [])
    .map((mount) => {
      const name = mount.Name === undefined || mount.Name === '' ? (mount.Source ?? '') : mount.Name;
      return truncate ? ellipsis(name, 15) : name;
    })
    .join(',');
}

export function containerRow(
  container: ContainerSummary,
  options: { readonly truncate: boolean; readonly now: number; readonly size?: boolean },
): Struct {
  const { truncate, now } = options;
  const command = truncate ? ellipsis(container.Command, 20) : container.Command;
  return new Struct(
    '*formatter.ContainerContext',
    {
      Command: () => quote(command),
      CreatedAt: () => localTime(container.Created * 1000),
      ID: () => (truncate ? shortId(container.Id) : container.Id),
      Image: () => imageText(container, truncate),
      Labels: () => labelsText(container.Labels),
      LocalVolumes: () => String((container.Mounts ?? []).filter((mount) => mount.Driver === 'local').length),
      Mounts: () => mountsText(container, truncate),
      Platform: () => container.ImageManifestDescriptor?.platform ?? null,
      Names: () => namesText(container.Names, truncate),
      Networks: () => Object.keys(container.NetworkSettings?.Networks ?? {}).join(','),
      Ports: () => portsText(container.Ports),
      RunningFor: () => `${humanDuration(now - container.Created * 1000)} ago`,
      Size: () => sizeText(container),
      State: () => container.State,
      Status: () => container.Status,
    },
    { Label: (name) => container.Labels?.[String(name)] ?? '' },
  );
}
