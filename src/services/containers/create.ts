import { mkdir } from 'node:fs/promises';
import { availableParallelism, hostname } from 'node:os';
import type { Ctx } from '../../core/ctx.ts';
import { invalid, isKind, notFound, toSlipwayError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { HostConfig } from '../../core/model/container-spec.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import { platformOf, type ImageRecord } from '../../core/model/image.ts';
import { formatPlatform, parsePlatformText, platformFit } from '../../core/platform.ts';
import { formatNano, nowNano } from '../../core/time.ts';
import { withUndo, type UndoStack } from '../../core/undo.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { initPlaces } from './mount-places.ts';
import { withContainerIds } from './namespaces.ts';
import { checkName, randomName } from './names.ts';
import { containerDirectory, logPath } from './paths.ts';
import { normalizeHostConfig, planConfig, planRecord, type CreateDefaults } from './plan-create.ts';
import type { PlannedMount } from './parse-mount.ts';
import { planMounts } from './plan-mounts.ts';
import { newEntry } from './table.ts';
import { settleAll } from './settle-all.ts';
import type { CreateInput, CreateResult } from './types.ts';
import { checkRemap, ownerIn } from './remap.ts';
import { checkHealthPolicy, validateCreate } from './validate.ts';
import { writableSize } from './writable-size.ts';
import { fillVolumes, realizeMounts } from './volumes.ts';

function defaultsOf(room: Room): CreateDefaults {
  const { options } = room;
  return {
    runtime: options.defaultRuntime,
    logDriver: options.defaultLogDriver,
    logOptions: options.defaultLogOptions,
    init: options.defaultInit,
    privateCgroupNamespace: room.specs.privateCgroupNamespace,
    hostHostname: hostname(),
    shmSize: options.defaultShmSize,
    ipcMode: options.defaultIpcMode,
    cgroupnsMode: options.defaultCgroupnsMode,
    oomKillDisable: room.host.cgroupLayout().version !== 2,
  };
}

/** The image, of several platforms the one that is asked for; `warnings` where it is another one than the host's. */
function findImage(
  room: Room,
  input: CreateInput,
): { readonly image: ImageRecord; readonly warnings: readonly string[] } {
  const host = room.options.platform;
  const asked = input.platform === undefined || input.platform === '' ? undefined : input.platform;
  const wanted = asked === undefined ? undefined : parsePlatformText(asked, host);
  const reference = input.config.Image ?? '';
  if (reference === '') throw invalid('no image specified');
  const image = room.images.find(reference, wanted) ?? room.images.resolve(reference);
  const has = platformOf(image.config);
  if (wanted === undefined) {
    const why = `The requested image's platform (${formatPlatform(has)}) does not match the detected host platform (${formatPlatform(host)}) and no specific platform was requested`;
    return { image, warnings: platformFit(host, has) < 0 ? [why] : [] };
  }
  if (platformFit(wanted, has) < 0)
    throw notFound(
      `image with reference ${reference} was found but does not match the specified platform: wanted ${formatPlatform(wanted)}, actual: ${formatPlatform(has)}`,
    );
  return { image, warnings: [] };
}

function checkLogging(room: Room, record: ContainerRecord): void {
  const type = record.hostConfig.LogConfig?.Type ?? '';
  const driver = room.logDrivers.get(type);
  if (driver === undefined) {
    throw invalid(`error looking up logging plugin ${type}: plugin "${type}" not found`);
  }
  driver.validate(record.hostConfig.LogConfig?.Config ?? {});
}

/**
 * A missing network is an error of the start, as with Docker: a 404 from create makes clients look for the image.
 */
function planEndpoints(
  room: Room,
  input: Parameters<Room['networks']['planEndpoints']>[0],
): ContainerRecord['endpoints'] {
  try {
    return room.networks.planEndpoints(input);
  } catch (error) {
    if (isKind(error, 'notFound')) return {};
    throw error;
  }
}

/** A missing container is the request's mistake here: of a 404 clients think that the image is missing. */
function named(room: Room): (ref: string) => ContainerRecord {
  return (ref) => {
    try {
      return room.table.resolve(ref).record;
    } catch (error) {
      throw invalid(toSlipwayError(error).message, error);
    }
  };
}

function checkLinks(room: Room, links: readonly string[]): void {
  for (const link of links) {
    if (link === '') throw invalid('empty string specified for links');
    const [ref = '', ...rest] = link.split(':');
    if (rest.length > 1) throw invalid(`bad format for links: ${link}`);
    if (ref === '') throw invalid('could not get container for : invalid name or ID supplied: ""');
    try {
      room.table.resolve(ref);
    } catch (error) {
      throw invalid(`could not get container for ${ref}: ${toSlipwayError(error).message}`, error);
    }
  }
}

/** What does nothing, told instead of taken silently. */
function discarded(hostConfig: HostConfig): readonly string[] {
  const hasBindings = Object.keys(hostConfig.PortBindings ?? {}).length > 0;
  return hostConfig.NetworkMode === 'host' && hasBindings
    ? ['Published ports are discarded when using host network mode']
    : [];
}

interface Plan {
  readonly record: ContainerRecord;
  readonly mounts: readonly PlannedMount[];
  readonly image: ImageRecord;
  readonly warnings: readonly string[];
}

function plan(room: Room, id: string, name: string, input: CreateInput): Plan {
  const { options } = room;
  const { image, warnings: foreign } = findImage(room, input);
  const defaults = defaultsOf(room);
  const normal = withContainerIds(room, normalizeHostConfig(input.hostConfig, defaults));
  validateCreate(input.config, normal, {
    cpus: availableParallelism(),
    runtimes: options.runtimes,
    unlimited: room.snapshots.unlimited,
  });
  checkRemap(room, normal);
  const { hostConfig, warnings: ofRuntime } = room.specs.validate(normal);
  const warnings = [...ofRuntime, ...discarded(hostConfig)];
  const config = planConfig(input.config, image, hostConfig, id, defaults);
  checkHealthPolicy(hostConfig.RestartPolicy, config);
  const resolve = named(room);
  if (hostConfig.NetworkMode === 'bridge') checkLinks(room, hostConfig.Links ?? []);
  const mounts = planMounts({ config, hostConfig, resolve });
  const endpoints = planEndpoints(room, {
    containerId: id,
    containerName: name,
    config,
    hostConfig,
    networking: input.networkingConfig,
  });
  const record = planRecord({
    id,
    name,
    createdAt: formatNano(nowNano()),
    config,
    hostConfig,
    image,
    endpoints,
    defaults,
    driver: room.snapshots.name,
    logPath: hostConfig.LogConfig?.Type === 'none' ? '' : logPath(options, id),
    platform: image.config.os,
  });
  checkLogging(room, record);
  return { record, mounts, image, warnings: [...foreign, ...warnings] };
}

async function effects(room: Room, ctx: Ctx, undo: UndoStack, planned: Plan): Promise<void> {
  const { id } = planned.record;
  const owner = ownerIn(room, planned.record);
  const { mounts, places } = await realizeMounts(room, ctx, undo, id, planned.mounts, owner);
  const record: ContainerRecord = { ...planned.record, mounts };
  const entry = newEntry(record);
  undo.push('container record', () => room.records.commit([{ op: 'delete', kind: 'container', id }]));
  undo.push('container directory', () => room.discard(containerDirectory(room.options, id)));
  undo.push('writable snapshot', () => room.snapshots.removeSnapshot(id));
  const parent = room.images.topLayer(planned.image);
  // Each names itself by the id, so the order among the three does not matter to reconcile.
  await settleAll([
    room.records.commit([{ op: 'put', kind: 'container', id, record }]),
    mkdir(containerDirectory(room.options, id), { recursive: true, mode: 0o710 }),
    room.snapshots.prepare(id, parent, {
      places: [...places, ...initPlaces(record.hostConfig)],
      size: writableSize(room, record.hostConfig),
    }),
  ]);
  await fillVolumes(room, ctx, undo, record);
  room.table.add(entry);
}

/** Makes a container from an image. Nothing is left behind when it fails. */
export async function createContainer(room: Room, ctx: Ctx, input: CreateInput): Promise<CreateResult> {
  const id = newId();
  const taken = (candidate: string): boolean => room.table.nameTaken(candidate);
  const name = input.name === undefined || input.name === '' ? randomName(taken, id) : checkName(input.name);
  const planned = plan(room, id, name, input);
  room.table.reserveName(name, id);
  try {
    await withUndo(ctx, (undo) => effects(room, ctx, undo, planned));
  } catch (error) {
    room.table.releaseName(name, id);
    if (isKind(error, 'internal')) room.log.error('create failed', { container: id, error });
    throw error;
  }
  emitContainer(room, planned.record, 'create');
  return { id, warnings: planned.warnings };
}
