/** One `--mount`, as the API has it, checked in Docker's words. Pure. */

import { posix } from 'node:path';
import { invalid } from '../../core/errors.ts';
import type { MountPoint } from '../../core/model/container.ts';
import type { MountSpec } from '../../core/model/container-spec.ts';
import { isPropagation } from './mount-mode.ts';
import { mergeTmpfsOptions } from './tmpfs-options.ts';

/** One mount as planned; volumes have no source yet. */
export interface PlannedMount extends MountPoint {
  /** A bind whose source may be made as a directory (`-v`), or must exist (`--mount`). */
  readonly createSource: boolean;
  readonly driverOptions?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Of an image: the reference as the user wrote it. */
  readonly image?: string;
}

export const absolute = (path: string): boolean => path.startsWith('/');

export function cleanTarget(target: string, whole: string): string {
  const clean = posix.normalize(target).replace(/(.)\/+$/, '$1');
  if (clean === '/') throw invalid(`invalid volume specification: '${whole}': destination can't be '/'`);
  return clean;
}

export function volume(
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

export function tmpfs(destination: string, options: readonly string[]): PlannedMount {
  mergeTmpfsOptions(options);
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

type Refuse = (why: string) => Error;
type Options = 'BindOptions' | 'VolumeOptions' | 'ImageOptions' | 'TmpfsOptions';

/** Options of another type are a mistake, not something to pass over. */
function onlyOptions(spec: MountSpec, own: Options, bad: Refuse): void {
  for (const field of ['BindOptions', 'VolumeOptions', 'ImageOptions', 'TmpfsOptions'] as const) {
    if (field !== own && spec[field] != null) throw bad(`field ${field} must not be specified`);
  }
}

function checkedSubpath(subpath: string, bad: Refuse): string {
  if (absolute(subpath) || posix.normalize(subpath).split('/').includes('..')) {
    throw bad('subpath must be a relative path within the volume');
  }
  return subpath;
}

function bindOptions(spec: MountSpec, bad: Refuse): readonly string[] {
  const options = spec.BindOptions;
  const force = options?.ReadOnlyForceRecursive === true;
  if (force && spec.ReadOnly !== true)
    throw bad('mount options conflict: !ReadOnly && BindOptions.ReadOnlyForceRecursive');
  if (force && options?.ReadOnlyNonRecursive === true) {
    throw bad('mount options conflict: ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive');
  }
  return [
    ...(options?.NonRecursive === true ? ['bind'] : []),
    ...(options?.ReadOnlyNonRecursive === true ? ['flat'] : []),
    ...(force ? ['rro'] : []),
  ];
}

function parseBindMount(spec: MountSpec, destination: string, bad: Refuse): PlannedMount {
  const source = spec.Source ?? '';
  if (source === '') throw bad('field Source must not be empty');
  if (!absolute(source)) throw bad(`invalid mount path: '${source}' mount path must be absolute`);
  onlyOptions(spec, 'BindOptions', bad);
  const propagation = spec.BindOptions?.Propagation || 'rprivate';
  if (!isPropagation(propagation)) throw bad(`invalid propagation mode: ${propagation}`);
  const options = bindOptions(spec, bad);
  return {
    type: 'bind',
    source: posix.normalize(source),
    destination,
    mode: '',
    rw: spec.ReadOnly !== true,
    propagation,
    createSource: spec.BindOptions?.CreateMountpoint === true,
    ...(options.length === 0 ? {} : { options }),
  };
}

function parseVolumeMount(spec: MountSpec, destination: string, bad: Refuse): PlannedMount {
  onlyOptions(spec, 'VolumeOptions', bad);
  const options = spec.VolumeOptions;
  const subpath = checkedSubpath(options?.Subpath ?? '', bad);
  const source = spec.Source ?? '';
  if (source === '' && subpath !== '') throw bad('must not set Subpath when using anonymous volumes');
  return {
    ...volume(destination, source === '' ? undefined : source, options?.DriverConfig?.Name, ''),
    rw: spec.ReadOnly !== true,
    copyUp: options?.NoCopy !== true,
    ...(options?.DriverConfig?.Options === undefined ? {} : { driverOptions: options.DriverConfig.Options }),
    ...(options?.Labels === undefined ? {} : { labels: options.Labels }),
    ...(subpath === '' ? {} : { subpath }),
  };
}

function parseImageMount(spec: MountSpec, destination: string, bad: Refuse): PlannedMount {
  const source = spec.Source ?? '';
  if (source === '') throw bad('field Source must not be empty');
  onlyOptions(spec, 'ImageOptions', bad);
  const subpath = checkedSubpath(spec.ImageOptions?.Subpath ?? '', bad);
  return {
    type: 'image',
    image: source,
    source: '',
    destination,
    mode: '',
    rw: spec.ReadOnly !== true,
    propagation: '',
    createSource: false,
    ...(subpath === '' ? {} : { subpath }),
  };
}

function parseTmpfsMount(spec: MountSpec, destination: string, bad: Refuse): PlannedMount {
  if ((spec.Source ?? '') !== '') throw bad('field Source must not be specified');
  onlyOptions(spec, 'TmpfsOptions', bad);
  const options = spec.TmpfsOptions;
  if ((options?.SizeBytes ?? 0) < 0) throw bad('tmpfs size must not be negative');
  const list: string[] = [];
  if (spec.ReadOnly === true) list.push('ro');
  if (options?.Mode) list.push(`mode=${options.Mode.toString(8)}`);
  if (options?.SizeBytes) list.push(`size=${options.SizeBytes}`);
  for (const option of options?.Options ?? []) list.push(option.join('='));
  return tmpfs(destination, list);
}

export function parseMount(spec: MountSpec): PlannedMount {
  const type = spec.Type ?? '';
  const bad: Refuse = (why) => invalid(`invalid mount config for type "${type}": ${why}`);
  const target = spec.Target ?? '';
  if (target === '') throw bad('field Target must not be empty');
  if (!absolute(target)) throw bad(`invalid mount path: '${target}' mount path must be absolute`);
  if (posix.normalize(target) === '/') throw bad(`invalid specification: destination can't be '/'`);
  const destination = cleanTarget(target, target);
  switch (type) {
    case 'bind':
      return parseBindMount(spec, destination, bad);
    case 'volume':
      return parseVolumeMount(spec, destination, bad);
    case 'image':
      return parseImageMount(spec, destination, bad);
    case 'tmpfs':
      return parseTmpfsMount(spec, destination, bad);
    default:
      throw bad('mount type unknown');
  }
}
