import type { Ctx } from '../../core/ctx.ts';
import { derivedHex } from '../../core/ids.ts';
import { isActive, type ContainerRecord } from '../../core/model/container.ts';
import type { Room } from './deps.ts';
import { shownHealth } from './health-rules.ts';
import { sizesOf } from './list.ts';
import { sharedWith } from './namespaces.ts';
import { hostnamePath, hostsPath, resolvConfPath } from './paths.ts';
import type { ContainerView } from './types.ts';

function fileOwner(room: Room, record: ContainerRecord): string {
  try {
    return sharedWith(room, record.hostConfig.NetworkMode ?? '')?.id ?? record.id;
  } catch {
    // The container whose network it shares is gone.
    return record.id;
  }
}

/** Everything about one container. */
export async function inspectContainer(
  room: Room,
  _ctx: Ctx,
  ref: string,
  input: { readonly size: boolean },
): Promise<ContainerView> {
  const entry = room.table.resolve(ref);
  const { record } = entry;
  const running = [...entry.execs.values()].filter((session) => session.exitCode === undefined);
  const owner = fileOwner(room, record);
  const active = isActive(record.state);
  const image = room.images.get(record.imageId);
  return {
    record,
    health: shownHealth(entry.record),
    execIds: running.length === 0 ? undefined : running.map((session) => session.id),
    graphDriver: {
      name: record.driver,
      data: await room.snapshots.describe({ snapshot: record.snapshotKey }),
    },
    sizes: input.size ? await sizesOf(room, record) : undefined,
    hostnamePath: hostnamePath(room.options, owner),
    hostsPath: hostsPath(room.options, owner),
    resolvConfPath: resolvConfPath(room.options, owner),
    imageManifestDigest: image?.manifest?.digest,
    sandboxId: active ? derivedHex(64, 'sandbox', record.id, record.state.startedAt) : '',
    sandboxKey: active ? `/proc/${record.state.pid}/ns/net` : '',
  };
}
