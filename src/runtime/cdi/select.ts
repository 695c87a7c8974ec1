/** From device requests (`--device vendor.com/class=name`, `--gpus`) to the CDI devices that answer them. Pure. */

import { internal, invalid } from '../../core/errors.ts';
import type { DeviceRequest } from '../../core/model/container-spec.ts';
import type { CdiDevice, CdiRegistry } from './registry.ts';
import { isQualifiedName } from './spec.ts';

/** What a request that names no driver may ask for, and the classes of CDI devices that have it. */
const gpuClass = 'gpu';
/** A vendor's driver as `--gpus driver=` names it. */
const vendors: Readonly<Record<string, string>> = {
  nvidia: 'nvidia.com',
  amd: 'amd.com',
  intel: 'intel.com',
};

const noDriver = (request: DeviceRequest): Error =>
  invalid(
    `could not select device driver "${request.Driver ?? ''}" with capabilities: [${(
      request.Capabilities ?? []
    )
      .map((set) => `[${set.join(' ')}]`)
      .join(' ')}]`,
  );

const isCdi = (request: DeviceRequest): boolean => request.Driver === 'cdi';

/** Checks what can be checked before the devices are looked for. `invalid` in Docker's words. */
export function checkRequests(requests: readonly DeviceRequest[]): void {
  for (const request of requests) {
    if (!isCdi(request)) {
      if (!(request.Capabilities ?? []).some((set) => set.includes(gpuClass))) throw noDriver(request);
      if ((request.Count ?? 0) !== 0 && (request.DeviceIDs ?? []).length > 0)
        throw invalid('cannot set both Count and DeviceIDs on device request');
      continue;
    }
    for (const id of request.DeviceIDs ?? []) {
      if (!isQualifiedName(id))
        throw invalid(
          `invalid CDI device name ${JSON.stringify(id)}: it is of the form vendor.com/class=name`,
        );
    }
  }
}

/** Devices of one vendor's GPUs: the one that was named, else NVIDIA's, else whose there are. */
function gpusOf(registry: CdiRegistry, driver: string): readonly CdiDevice[] {
  const all = [...registry.devices.values()].filter((device) => device.kind.endsWith(`/${gpuClass}`));
  const wanted = driver === '' ? undefined : `${vendors[driver] ?? driver}/${gpuClass}`;
  const kind = wanted ?? (all.find((device) => device.kind === 'nvidia.com/gpu') ?? all[0])?.kind;
  return all.filter((device) => device.kind === kind);
}

/** Single GPUs are numbered; vendors add other names for the same ones (`all`, a UUID). */
const isNumbered = (device: CdiDevice): boolean => /^\d+$/.test(device.name);

function selectGpus(registry: CdiRegistry, request: DeviceRequest): readonly CdiDevice[] {
  const gpus = gpusOf(registry, request.Driver ?? '');
  if (gpus.length === 0) throw noDriver(request);
  const named = request.DeviceIDs ?? [];
  if (named.length > 0) {
    return named.map((name) => {
      const found = gpus.find((device) => device.name === name || device.id === name);
      if (found === undefined) throw unresolvable([name]);
      return found;
    });
  }
  const count = request.Count ?? 0;
  const numbered = gpus.filter(isNumbered).toSorted((a, b) => Number(a.name) - Number(b.name));
  if (count < 0) {
    const all = gpus.find((device) => device.name === 'all');
    return all === undefined ? (numbered.length > 0 ? numbered : gpus) : [all];
  }
  const list = numbered.length > 0 ? numbered : gpus;
  if (count > list.length) throw invalid(`${count} GPUs were asked for, and there are ${list.length}`);
  return list.slice(0, count);
}

const unresolvable = (ids: readonly string[]): Error =>
  internal(`CDI device injection failed: unresolvable CDI devices ${ids.join(', ')}`);

/** The devices, each once, in the order in which they were asked for. */
export function selectDevices(
  registry: CdiRegistry,
  requests: readonly DeviceRequest[],
): readonly CdiDevice[] {
  const chosen = new Map<string, CdiDevice>();
  for (const request of requests) {
    const found = isCdi(request) ? [] : selectGpus(registry, request);
    const missing: string[] = [];
    for (const id of isCdi(request) ? (request.DeviceIDs ?? []) : []) {
      const device = registry.devices.get(id);
      if (device === undefined) missing.push(id);
      else chosen.set(id, device);
    }
    if (missing.length > 0) throw unresolvable(missing);
    for (const device of found) chosen.set(device.id, device);
  }
  return [...chosen.values()];
}
