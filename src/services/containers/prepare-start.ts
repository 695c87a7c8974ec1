/** The steps of a start before the process: network, root filesystem, files, and the input of the OCI spec. */

import { stat } from 'node:fs/promises';
import type { Ctx } from '../../core/ctx.ts';
import { internal, unavailable } from '../../core/errors.ts';
import { never, type ContainerRecord } from '../../core/model/container.ts';
import type { Owner } from '../../core/model/id-mapping.ts';
import type { ResolvedUser, SpecInput, SpecMount } from '../../core/ports/spec-builder.ts';
import type { TaskSpec } from '../../core/ports/runtime.ts';
import type { UndoStack } from '../../core/undo.ts';
import { networkFileMounts, writeNetworkFiles } from './bundle.ts';
import type { Room } from './deps.ts';
import { makeEngineFiles } from './engine-files.ts';
import { containerEnv } from './environment.ts';
import { loggedContainer, logOf } from './log-tending.ts';
import { guardMounts } from './mount-guard.ts';
import { chooseNamespaces, hostnameInside, sharedIpcMounts } from './namespaces.ts';
import { ensureDirectory } from './rootfs-files.ts';
import { settleAll } from './settle-all.ts';
import type { Entry } from './table.ts';
import { makeOwned, ownerIn, remapOf } from './remap.ts';
import { joinedUserNamespace } from './user-namespace.ts';
import { imageUser } from './user.ts';
import { announceVolumes, mountVolumes } from './volumes.ts';

/** A network that did not exist at create must exist now: `notFound` otherwise. */
export function withEndpoints(room: Room, record: ContainerRecord): ContainerRecord {
  const joins = record.hostConfig.NetworkMode?.startsWith('container:') === true;
  if (joins || Object.keys(record.endpoints).length > 0) return record;
  const endpoints = room.networks.planEndpoints({
    containerId: record.id,
    containerName: record.name,
    config: record.config,
    hostConfig: record.hostConfig,
    networking: undefined,
  });
  return { ...record, endpoints };
}

/** What the steps of one start hand on. */
export interface Prepared {
  rootPath: string;
  /** The container's own mounts. */
  mounts: readonly SpecMount[];
  /** As they were published in the end; undefined where nothing was. */
  ports: ContainerRecord['ports'] | undefined;
  /** Namespaces made for this start; their descriptors are ours until the container's process holds them. */
  network: { readonly fd: number; readonly path: string } | undefined;
  user: { readonly fd: number; readonly path: string } | undefined;
}

export const newPrepared = (): Prepared => ({
  rootPath: '',
  mounts: [],
  network: undefined,
  user: undefined,
  ports: undefined,
});

/** Idempotent. */
export function closeNamespaces(room: Room, prepared: Prepared): void {
  for (const held of [prepared.network, prepared.user]) if (held !== undefined) room.host.closeFd(held.fd);
  prepared.network = undefined;
  prepared.user = undefined;
}

/** With a user namespace the network belongs to it: else nobody inside could set it up, or mount /sys. */
async function makeNamespaces(
  room: Room,
  ctx: Ctx,
  record: ContainerRecord,
  prepared: Prepared,
): Promise<{ readonly path: string }> {
  const mapping = remapOf(room, record);
  if (mapping === undefined) return (prepared.network = await room.networks.createNamespace(ctx));
  const joined = joinedUserNamespace(room, record);
  const made = await room.host.createUserNamespace(joined === undefined ? mapping : { join: joined });
  prepared.user = made.user;
  return (prepared.network = made.network);
}

export async function prepareNetwork(
  room: Room,
  ctx: Ctx,
  undo: UndoStack,
  record: ContainerRecord,
  prepared: Prepared,
): Promise<void> {
  const mode = record.hostConfig.NetworkMode ?? '';
  if (mode === 'host' || mode.startsWith('container:')) return;
  undo.push('network namespace', () => closeNamespaces(room, prepared));
  const { path: namespacePath } = await makeNamespaces(room, ctx, record, prepared);
  const namespace = { path: namespacePath };
  undo.push('network attachment', (own) => room.networks.detach(own, record, namespace));
  prepared.ports = await room.networks.attach(ctx, record, namespace);
}

export async function prepareRoot(
  room: Room,
  undo: UndoStack,
  record: ContainerRecord,
  prepared: Prepared,
): Promise<void> {
  undo.push('root filesystem', () => room.snapshots.unmount(record.snapshotKey));
  const { path } = await room.snapshots.mount(record.snapshotKey, {
    volatile: record.hostConfig.AutoRemove === true,
    ids: remapOf(room, record),
  });
  // What someone removed in the container stays removed.
  if (record.state.startedAt === never) await makeEngineFiles(room.host, path, ownerIn(room, record));
  prepared.rootPath = path;
}

/** Files of the engine's own, and what is mounted: sources and volumes may lie on the network, and all the rest goes on meanwhile. */
export async function prepareFiles(
  room: Room,
  ctx: Ctx,
  undo: UndoStack,
  record: ContainerRecord,
  prepared: Prepared,
): Promise<void> {
  writeNetworkFiles(room, record);
  if (record.mounts.length === 0) return;
  await recreateBindSources(record, ownerIn(room, record));
  prepared.mounts = await mountVolumes(room, ctx, undo, record);
}

/** `-v` makes a missing source at every start; `--mount` never does. */
async function recreateBindSources(record: ContainerRecord, owner: Owner): Promise<void> {
  if ((record.hostConfig.Binds ?? []).length === 0) return;
  const strict = new Set((record.hostConfig.Mounts ?? []).map((mount) => mount.Target));
  const binds = record.mounts.filter(({ type, destination }) => type === 'bind' && !strict.has(destination));
  await settleAll(
    binds.map(async ({ source }) => {
      const found = await stat(source).catch(() => undefined);
      if (found === undefined) await makeOwned(source, owner);
    }),
  );
}

/** An init that was asked for and is not there is an error: what ran instead would be another process tree. */
function initProgram(room: Room): string {
  const { initPath } = room.options;
  if (initPath !== undefined) return initPath;
  throw unavailable(
    'no init program is installed: exec: "docker-init": executable file not found in $PATH (install tini, or give slipwayd --init-path)',
  );
}

export async function specInput(
  room: Room,
  ctx: Ctx,
  undo: UndoStack,
  entry: Entry,
  record: ContainerRecord,
  prepared: Prepared,
): Promise<SpecInput> {
  const user: ResolvedUser = await imageUser(room, entry, prepared.rootPath);
  const workingDir = record.config.WorkingDir || '/';
  if (workingDir !== '/')
    await ensureDirectory(room.host, prepared.rootPath, workingDir, ownerIn(room, record));
  announceVolumes(room, undo, record);
  await guardMounts(room.host, prepared.rootPath, prepared.mounts);
  const namespaces = chooseNamespaces(room, record, prepared.network?.path);
  return {
    record,
    rootPath: prepared.rootPath,
    mounts: [...networkFileMounts(room, record), ...sharedIpcMounts(room, record), ...prepared.mounts],
    user,
    env: containerEnv(record, room.networks.linkEnvironment(record), user.home),
    hostname: namespaces.uts === 'private' ? hostnameInside(room, record) : '',
    namespaces,
    userNamespace: userNamespaceOf(room, record, prepared),
    initPath: record.hostConfig.Init === true ? initProgram(room) : undefined,
    workingDir,
  };
}

function userNamespaceOf(
  room: Room,
  record: ContainerRecord,
  prepared: Prepared,
): SpecInput['userNamespace'] {
  const mapping = remapOf(room, record);
  if (mapping === undefined) return undefined;
  const path = prepared.user?.path ?? joinedUserNamespace(room, record);
  if (path === undefined) throw internal(`no user namespace was made for container ${record.id}`);
  return { path, mapping };
}

/** Where the shim writes the output, how much of it is kept, and what stands in every line. */
export function taskLog(room: Room, record: ContainerRecord): TaskSpec['log'] {
  const log = logOf(room, record);
  log?.driver.checkHost?.();
  const { maxSize, maxFile, keepBytes, unsentMax } = log?.plan ?? { maxSize: 0, maxFile: 1 };
  const attributes = log?.driver.attributes?.(
    record.hostConfig.LogConfig?.Config ?? {},
    loggedContainer(record),
  );
  return {
    path: record.logPath === '' ? undefined : record.logPath,
    maxSize,
    maxFile,
    ...(keepBytes === true ? { keepBytes } : {}),
    ...(unsentMax === undefined ? {} : { unsentMax }),
    ...(attributes === undefined ? {} : { attributes }),
  };
}
