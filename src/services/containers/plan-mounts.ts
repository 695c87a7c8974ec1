/** Which mounts a container gets: `-v`, `--mount`, `--tmpfs`, `--volumes-from` and the image's volumes. Pure. */

import { posix } from 'node:path';
import { invalid } from '../../core/errors.ts';
import type { ContainerRecord, MountPoint } from '../../core/model/container.ts';
import type { ContainerConfig, HostConfig, MountSpec } from '../../core/model/container-spec.ts';
import { parseMountMode } from './mount-mode.ts';

/** One mount as planned; volumes have no source yet. */
export interface PlannedMount extends MountPoint {
  /** A bind whose source may be made as a directory (`-v`), or must exist (`--mount`). */
  readonly createSource: boolean;
  readonly driverOptions?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly subpath?: string;
  readonly nonRecursive?: boolean;
}

const absolute = (path: string): boolean => path.startsWith('/');

function cleanTarget(target: string, spec: string): string {
  const clean = posix.normalize(target).replace(/(.)\/+$/, '$1');
  if (clean === '/') throw invalid(`invalid volume specification: '${spec}': destination can't be '/'`);
  return clean;
}

/** `source:destination[:mode]` or `destination`. */
function parseBind(spec: string, driver: string | undefined): PlannedMount {
  const parts = spec.split(':');
  const bad = (): Error => invalid(`invalid volume specification: '${spec}'`);
  if (parts.length > 3 || parts.some((part) => part === '')) throw bad();
  if (parts.length === 1) {
    const only = parts[0] ?? '';
    if (!absolute(only))
      throw invalid(
        `invalid volume specification: '${spec}': invalid mount config for type "volume": invalid mount path: '${only}' mount path must be absolute`,
      );
    return volume(cleanTarget(only, spec), undefined, driver, '');
  }
  const [source = '', destination = '', modeText = ''] = parts;
  if (!absolute(destination)) {
    throw invalid(
      `invalid volume specification: '${spec}': invalid mount config for type "${absolute(source) ? 'bind' : 'volume'}": ` +
        `invalid mount path: '${destination}' mount path must be absolute`,
    );
  }
  const target = cleanTarget(destination, spec);
  const mode = parseMountMode(modeText, absolute(source));
  if (mode === undefined) throw invalid(`invalid mode: ${modeText}`);
  if (!absolute(source)) {
    return { ...volume(target, source, driver, modeText), rw: mode.rw, copyUp: mode.copy };
  }
  return {
    type: 'bind',
    source: posix.normalize(source),
    destination: target,
    mode: modeText,
    rw: mode.rw,
    propagation: mode.propagation,
    createSource: true,
  };
}

function volume(
  destination: string,
  name: string | undefined,
  driver: string | undefined,
  mode: string,
): PlannedMount {
  return {
    type: 'volume',
    ...(name === undefined ? { anonymous: true } : { name }),
    source: '',
    destination,
    driver: driver === undefined || driver === '' ? 'local' : driver,
    mode: mode === '' ? 'z' : mode,
    rw: true,
    propagation: '',
    copyUp: true,
    createSource: false,
  };
}

function tmpfsOptions(options: MountSpec['TmpfsOptions'], readOnly: boolean): readonly string[] {
  const list: string[] = [];
  if (readOnly) list.push('ro');
  if (options?.Mode) list.push(`mode=${options.Mode.toString(8)}`);
  if (options?.SizeBytes) list.push(`size=${options.SizeBytes}`);
  for (const option of options?.Options ?? []) list.push(option.join('='));
  return list;
}

function tmpfs(destination: string, options: readonly string[]): PlannedMount {
  return {
    type: 'tmpfs',
    source: '',
    destination,
    mode: options.join(','),
    rw: !options.includes('ro'),
    propagation: '',
    options,
    createSource: false,
  };
}

function parseMount(spec: MountSpec): PlannedMount {
  const type = spec.Type ?? '';
  const bad = (why: string): Error => invalid(`invalid mount config for type "${type}": ${why}`);
  const target = spec.Target ?? '';
  if (target === '') throw bad('field Target must not be empty');
  if (!absolute(target)) throw bad(`invalid mount path: '${target}' mount path must be absolute`);
  if (posix.normalize(target) === '/') throw bad(`invalid specification: destination can't be '/'`);
  const destination = cleanTarget(target, target);
  const rw = spec.ReadOnly !== true;
  const source = spec.Source ?? '';
  switch (type) {
    case 'bind': {
      if (source === '') throw bad('field Source must not be empty');
      if (!absolute(source)) throw bad(`invalid mount path: '${source}' mount path must be absolute`);
      if (spec.VolumeOptions !== undefined) throw bad('field VolumeOptions must not be specified');
      return {
        type: 'bind',
        source: posix.normalize(source),
        destination,
        mode: '',
        rw,
        propagation: spec.BindOptions?.Propagation || 'rprivate',
        createSource: spec.BindOptions?.CreateMountpoint === true,
        ...(spec.BindOptions?.NonRecursive === true ? { nonRecursive: true } : {}),
      };
    }
    case 'volume': {
      if (spec.BindOptions !== undefined) throw bad('field BindOptions must not be specified');
      const options = spec.VolumeOptions;
      const subpath = options?.Subpath ?? '';
      if (absolute(subpath) || subpath.split('/').includes('..')) {
        throw bad('subpath must be a relative path within the volume');
      }
      return {
        ...volume(destination, source === '' ? undefined : source, options?.DriverConfig?.Name, ''),
        rw,
        copyUp: options?.NoCopy !== true,
        ...(options?.DriverConfig?.Options === undefined
          ? {}
          : { driverOptions: options.DriverConfig.Options }),
        ...(options?.Labels === undefined ? {} : { labels: options.Labels }),
        ...(subpath === '' ? {} : { subpath }),
      };
    }
    case 'tmpfs':
      if (source !== '') throw bad('field Source must not be specified');
      return tmpfs(destination, tmpfsOptions(spec.TmpfsOptions, spec.ReadOnly === true));
    default:
      throw invalid(`invalid mount config for type "${type}": mount type unknown`);
  }
}

/** Mounts of other containers, `name[:ro|rw]`; its binds and volumes, never its tmpfs. */
function fromOthers(
  specs: readonly string[],
  resolve: (ref: string) => ContainerRecord,
): readonly PlannedMount[] {
  return specs.flatMap((spec) => {
    const [ref = '', modeText = 'rw'] = spec.split(':');
    if (ref === '') throw invalid('volumes-from specification cannot be an empty string');
    const mode = parseMountMode(modeText, true);
    if (mode === undefined) throw invalid(`invalid mode for volumes-from: ${modeText}`);
    return resolve(ref)
      .mounts.filter((mount) => mount.type !== 'tmpfs')
      .map((mount) => ({ ...mount, rw: mount.rw && mode.rw, createSource: false, copyUp: false }));
  });
}

export interface MountRequest {
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly resolve: (ref: string) => ContainerRecord;
}

/** All mounts, each destination once; `invalid` in Docker's words for what cannot be. */
export function planMounts(request: MountRequest): readonly PlannedMount[] {
  const { config, hostConfig } = request;
  const planned = new Map<string, PlannedMount>();
  for (const mount of fromOthers(hostConfig.VolumesFrom ?? [], request.resolve))
    planned.set(mount.destination, mount);
  const claimed = new Set<string>();
  const claim = (mount: PlannedMount): void => {
    if (claimed.has(mount.destination)) throw invalid(`Duplicate mount point: ${mount.destination}`);
    claimed.add(mount.destination);
    planned.set(mount.destination, mount);
  };
  for (const bind of hostConfig.Binds ?? []) claim(parseBind(bind, hostConfig.VolumeDriver));
  for (const spec of hostConfig.Mounts ?? []) claim(parseMount(spec));
  for (const [target, options] of Object.entries(hostConfig.Tmpfs ?? {})) {
    if (!absolute(target))
      throw invalid(
        `invalid mount config for type "tmpfs": invalid mount path: '${target}' mount path must be absolute`,
      );
    claim(tmpfs(cleanTarget(target, target), options === '' ? [] : options.split(',')));
  }
  for (const target of Object.keys(config.Volumes ?? {})) {
    if (!absolute(target)) throw invalid(`invalid volume specification: '${target}'`);
    const destination = cleanTarget(target, target);
    if (!planned.has(destination))
      planned.set(destination, volume(destination, undefined, hostConfig.VolumeDriver, ''));
  }
  return [...planned.values()];
}
