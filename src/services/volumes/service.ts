import { constants as C } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import type { Ctx } from '../../core/ctx.ts';
import { conflict, invalid, isKind, notFound, SlipwayError } from '../../core/errors.ts';
import type { EventBus } from '../../core/events.ts';
import { newId } from '../../core/ids.ts';
import { KeyedQueue } from '../../core/keyed-queue.ts';
import type { VolumeRecord } from '../../core/model/volume.ts';
import type { Host } from '../../core/ports/host.ts';
import type { RecordStore } from '../../core/ports/record-store.ts';
import type { VolumeDriver } from '../../core/ports/volume-driver.ts';
import { formatNano, nowNano } from '../../core/time.ts';
import { withUndo } from '../../core/undo.ts';
import { pruneCandidates, volumePredicate } from './filters.ts';
import type { CreateVolumeInput, VolumePruneReport, VolumeService, VolumeUsage, VolumeUse } from './types.ts';

export interface VolumeServiceDeps {
  readonly records: RecordStore;
  readonly drivers: readonly VolumeDriver[];
  readonly host: Pick<Host, 'openInRoot' | 'closeFd'>;
  readonly events: EventBus;
  /** Which containers (in any state) use which volumes. Instant. */
  readonly uses: () => readonly VolumeUse[];
}

interface Room extends VolumeServiceDeps {
  readonly volumes: Map<string, VolumeRecord>;
  readonly queue: KeyedQueue;
  /** Containers for which a volume is mounted now. */
  readonly mounted: Map<string, Set<string>>;
}

type Ensured = { readonly record: VolumeRecord; readonly created: boolean };

const nameForm = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

function checkName(name: string): void {
  const fails = (why: string): Error => invalid(`create ${name}: ${why}`);
  if (name.length === 1)
    throw fails('volume name is too short, names should be at least two alphanumeric characters');
  if (!nameForm.test(name))
    throw fails(
      `${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  if (name.length > 255) throw fails('volume name is too long: at most 255 characters');
}

function driverOf(room: Room, name: string, about = ''): VolumeDriver {
  const driver = room.drivers.find((each) => each.name === name);
  if (driver === undefined)
    throw notFound(`${about}error looking up volume plugin ${name}: plugin "${name}" not found`);
  return driver;
}

function emit(room: Room, action: string, record: VolumeRecord): void {
  room.events.emit({
    type: 'volume',
    action,
    actorId: record.name,
    attributes: { driver: record.driver },
  });
}

function existing(record: VolumeRecord, input: CreateVolumeInput): Ensured {
  const { driver = '' } = input;
  if (driver !== '' && driver !== record.driver)
    throw conflict(
      `volume ${record.name} already exists but with driver ${record.driver}, not ${driver}: conflict: volume name must be unique`,
    );
  return { record, created: false };
}

async function make(
  room: Room,
  ctx: Ctx,
  input: CreateVolumeInput,
  name: string,
  anonymous: boolean,
): Promise<Ensured> {
  const there = room.volumes.get(name);
  if (there !== undefined) return existing(there, input);
  const driver = driverOf(room, input.driver || 'local', input.name ? `create ${input.name}: ` : '');
  const options = input.options ?? {};
  try {
    driver.validate(options);
  } catch (error) {
    if (error instanceof SlipwayError)
      throw new SlipwayError(error.kind, `create ${name}: ${error.message}`, { cause: error });
    throw error;
  }
  const record = await withUndo(ctx, async (undo) => {
    undo.push(`volume ${name}`, () => driver.remove(name));
    const { mountpoint } = await driver.create(name, options);
    const made: VolumeRecord = {
      name,
      driver: driver.name,
      options,
      labels: { ...(anonymous ? { [anonymousLabel]: '' } : {}), ...input.labels },
      createdAt: formatNano((nowNano() / 1_000_000_000n) * 1_000_000_000n),
      mountpoint,
      anonymous,
    };
    await room.records.commit([{ op: 'put', kind: 'volume', id: name, record: made }]);
    return made;
  });
  room.volumes.set(name, record);
  emit(room, 'create', record);
  return { record, created: true };
}

/** By this Docker's clients know a volume that nobody named. */
const anonymousLabel = 'com.docker.volume.anonymous';

function ensure(
  room: Room,
  ctx: Ctx,
  input: CreateVolumeInput & { readonly anonymous?: boolean },
): Promise<Ensured> {
  const isNamed = input.name !== undefined && input.name !== '';
  const name = isNamed ? (input.name ?? '') : newId();
  if (isNamed) checkName(name);
  return room.queue.run(name, () => make(room, ctx, input, name, input.anonymous ?? !isNamed));
}

function get(room: Room, name: string): VolumeRecord {
  const record = room.volumes.get(name);
  if (record === undefined) throw notFound(`get ${name}: no such volume`);
  return record;
}

function usersOf(room: Room, name: string): string[] {
  return room
    .uses()
    .filter((use) => use.volumeName === name)
    .map((use) => use.containerId);
}

async function finishRemoval(room: Room, record: VolumeRecord): Promise<void> {
  await driverOf(room, record.driver).remove(record.name);
  await room.records.commit([{ op: 'delete', kind: 'volume', id: record.name }]);
  room.volumes.delete(record.name);
}

async function remove(room: Room, name: string, force: boolean): Promise<void> {
  await room.queue.run(name, async () => {
    const record = room.volumes.get(name);
    if (record === undefined) {
      if (force) return;
      throw notFound(`get ${name}: no such volume`);
    }
    const users = usersOf(room, name);
    if (users.length > 0) throw conflict(`remove ${name}: volume is in use - [${users.join(', ')}]`);
    const driver = driverOf(room, record.driver);
    await driver.unmount(name, record.options);
    // Intent first: after a crash the data of a removed volume must not turn up in a new one of the same name.
    await room.records.commit([
      { op: 'put', kind: 'volume', id: name, record: { ...record, removing: true } },
    ]);
    await finishRemoval(room, record);
    emit(room, 'destroy', record);
  });
}

async function prune(
  room: Room,
  ctx: Ctx,
  filters: Readonly<Record<string, readonly string[]>>,
): Promise<VolumePruneReport> {
  const fits = pruneCandidates(filters);
  const deleted: string[] = [];
  let spaceReclaimed = 0;
  for (const record of room.volumes.values()) {
    if (ctx.signal.aborted) break;
    if (!fits(record) || usersOf(room, record.name).length > 0) continue;
    const size = await driverOf(room, record.driver).usage(record.name);
    try {
      await remove(room, record.name, false);
    } catch (error) {
      // Taken into use or removed meanwhile.
      if (isKind(error, 'conflict') || isKind(error, 'notFound')) continue;
      throw error;
    }
    deleted.push(record.name);
    spaceReclaimed += size;
  }
  room.events.emit({
    type: 'volume',
    action: 'prune',
    actorId: '',
    attributes: { reclaimed: String(spaceReclaimed) },
  });
  return { deleted, spaceReclaimed };
}

async function mount(room: Room, name: string, containerId: string): Promise<{ readonly path: string }> {
  return room.queue.run(name, async () => {
    const record = get(room, name);
    const { path } = await driverOf(room, record.driver).mount(name, record.options);
    const users = room.mounted.get(name) ?? new Set<string>();
    room.mounted.set(name, users.add(containerId));
    return { path };
  });
}

async function unmount(room: Room, name: string, containerId: string): Promise<void> {
  await room.queue.run(name, async () => {
    const users = room.mounted.get(name);
    const record = room.volumes.get(name);
    const wasMounted = users?.delete(containerId) === true;
    if (record === undefined) return;
    // After a restart of the daemon nothing is known of earlier mounts: others may still use the volume.
    if (wasMounted && users?.size === 0) {
      room.mounted.delete(name);
      await driverOf(room, record.driver).unmount(name, record.options);
    }
  });
}

/** Not an empty directory as new volumes are: there is nothing to copy. The engine lays such ones below containers, too, for volumes to be mounted over. */
async function hasSomething(path: string): Promise<boolean> {
  const found = await stat(path);
  if (!found.isDirectory()) return false;
  const isOrdinary = found.uid === 0 && found.gid === 0 && (found.mode & 0o7777) === 0o755;
  return !isOrdinary || (await readdir(path)).length > 0;
}

/** Resolved inside the image's root, so that a symbolic link of the image cannot name a directory of the host. */
async function copyUp(room: Room, name: string, imageRoot: string, pathInImage: string): Promise<boolean> {
  const record = get(room, name);
  let fd: number;
  try {
    fd = await room.host.openInRoot(imageRoot, pathInImage, {
      flags: C.O_RDONLY | C.O_DIRECTORY | 0o2000000,
    });
  } catch (error) {
    const code =
      error instanceof Error ? ((error.cause as NodeJS.ErrnoException | undefined)?.code ?? '') : '';
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(code)) return false;
    throw error;
  }
  try {
    const from = `/proc/self/fd/${fd}`;
    if (!(await hasSomething(from))) return false;
    await driverOf(room, record.driver).fill(name, `${from}/`);
    return true;
  } finally {
    room.host.closeFd(fd);
  }
}

async function usage(room: Room): Promise<readonly VolumeUsage[]> {
  const records = [...room.volumes.values()];
  return Promise.all(
    records.map(async (record) => {
      const isLocal = record.options['device'] === undefined;
      const size = isLocal ? await driverOf(room, record.driver).usage(record.name) : -1;
      return { record, size, references: usersOf(room, record.name).length };
    }),
  );
}

/** What a daemon made that was killed before the record of it. Files in one are somebody's, whatever became of the record. */
async function removeUnrecorded(room: Room): Promise<void> {
  for (const driver of room.drivers)
    for (const name of await driver.list()) if (!room.volumes.has(name)) await driver.removeEmpty(name);
}

/** Reads the records, finishes what an earlier daemon was removing, and builds the service. */
export async function openVolumes(deps: VolumeServiceDeps): Promise<VolumeService> {
  const records = await deps.records.list('volume');
  const room: Room = {
    ...deps,
    volumes: new Map(records.map((record) => [record.name, record])),
    queue: new KeyedQueue(),
    mounted: new Map(),
  };
  for (const record of records.filter((each) => each.removing === true)) await finishRemoval(room, record);
  await removeUnrecorded(room);
  return {
    create: async (ctx, input) => (await ensure(room, ctx, input)).record,
    ensure: (ctx, input) => ensure(room, ctx, input),
    inspect: (name) => get(room, name),
    find: (name) => room.volumes.get(name),
    list: (filters = {}) => {
      const fits = volumePredicate(filters, (name) => usersOf(room, name).length > 0);
      return [...room.volumes.values()].filter(fits).sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    remove: (_ctx, name, { force = false }) => remove(room, name, force),
    prune: (ctx, filters) => prune(room, ctx, filters),
    mount: (_ctx, name, containerId) => mount(room, name, containerId),
    unmount: (_ctx, name, containerId) => unmount(room, name, containerId),
    copyUp: (_ctx, { name, imageRoot, pathInImage }) => copyUp(room, name, imageRoot, pathInImage),
    usage: () => usage(room),
  };
}
