/** Which mounts a container gets: `-v`, `--mount`, `--tmpfs`, `--volumes-from` and the image's volumes. Pure. */

import { posix } from 'node:path';
import { invalid } from '../../core/errors.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import type { ContainerConfig, HostConfig } from '../../core/model/container-spec.ts';
import { parseMountMode } from './mount-mode.ts';
import { absolute, cleanTarget, parseMount, tmpfs, volume, type PlannedMount } from './parse-mount.ts';

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

/** Mounts of other containers, `name[:ro|rw]`; its binds and volumes, never its tmpfs. */
function fromOthers(
  specs: readonly string[],
  resolve: (ref: string) => ContainerRecord,
): readonly PlannedMount[] {
  return specs.flatMap((spec) => {
    const colon = spec.indexOf(':');
    const [ref, modeText] = colon < 0 ? [spec, 'rw'] : [spec.slice(0, colon), spec.slice(colon + 1)];
    if (ref === '') throw invalid('volumes-from specification cannot be an empty string');
    const mode = parseMountMode(modeText, true);
    if (mode === undefined) throw invalid(`invalid mode: ${modeText}`);
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
    if (!absolute(target)) throw invalid(`invalid mount path: '${target}' mount path must be absolute`);
    if (posix.normalize(target) === '/') throw invalid("invalid specification: destination can't be '/'");
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
