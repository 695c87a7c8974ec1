/** `docker commit`: an image of what a container has changed. */

import type { Ctx } from '../../core/ctx.ts';
import { conflict } from '../../core/errors.ts';
import type { ContainerConfig } from '../../core/model/container-spec.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import { applyChanges } from '../images/index.ts';
import { allChanges, withoutMountTargets } from './changes.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { whilePaused } from './pause.ts';
import { mergeImageConfig } from './plan-image.ts';
import type { Entry } from './table.ts';
import type { CommitImageInput } from './types.ts';

function checkState(record: ContainerRecord, ref: string): void {
  if (record.state.status === 'dead') throw conflict(`You cannot commit container ${ref} which is Dead`);
  if (record.state.status === 'removing')
    throw conflict(`You cannot commit container ${ref} which is being removed`);
}

/** What an image says about its containers: the rest of a container's config belongs to that container alone. */
const ofImages = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Healthcheck',
  'ArgsEscaped',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'OnBuild',
  'Shell',
] as const;

/** The image's config: the client's (else the container's) with the changes, and for the rest the container's. Pure. */
export function committedConfig(
  container: ContainerConfig,
  given: ContainerConfig | undefined,
  changes: readonly string[],
): ContainerConfig {
  const changed = changes.length === 0 ? (given ?? container) : applyChanges(given ?? container, changes);
  const merged = mergeImageConfig(changed, container);
  const onBuild = changed.OnBuild ?? container.OnBuild;
  const all: ContainerConfig = onBuild == null ? merged : { ...merged, OnBuild: onBuild };
  return Object.fromEntries(ofImages.flatMap((key) => (all[key] == null ? [] : [[key, all[key]]])));
}

async function layerOf(room: Room, ctx: Ctx, entry: Entry) {
  const all = await allChanges(room, ctx, entry);
  const own = withoutMountTargets(all);
  if (own.length === 0) return undefined;
  const kept = new Set(own);
  const omit = all.filter((change) => !kept.has(change)).map((change) => change.path);
  return await room.snapshots.diff(ctx, entry.record.snapshotKey, { omit });
}

/** Makes an image of the container's changes; a running container is paused meanwhile unless `pause` is false. */
export async function commitImage(
  room: Room,
  ctx: Ctx,
  ref: string,
  input: CommitImageInput,
): Promise<{ readonly id: string }> {
  const entry = room.table.resolve(ref);
  const { record } = entry;
  checkState(record, ref);
  const config = committedConfig(record.config, input.config, input.changes);
  const commit = async (): Promise<string> => {
    const image = await room.images.commit(ctx, {
      layer: await layerOf(room, ctx, entry),
      baseImageId: record.imageId,
      config,
      createdBy: (record.config.Cmd ?? []).join(' '),
      author: input.author,
      comment: input.comment,
      ...(input.repository === '' ? {} : { repository: input.repository }),
      ...(input.tag === '' ? {} : { tag: input.tag }),
    });
    emitContainer(room, record, 'commit', {
      comment: input.comment,
      imageID: image.record.id,
      imageRef: image.reference,
    });
    return image.record.id;
  };
  return { id: input.pause ? await whilePaused(room, entry.id, commit) : await commit() };
}
