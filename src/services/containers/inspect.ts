import { existsSync } from 'node:fs';
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

/**
 * Where hosts, hostname and resolv.conf of the container lie. Empty where there is none: before the first start, and after a reboot.
 */
function networkFiles(
  room: Room,
  record: ContainerRecord,
): Pick<ContainerView, 'hostnamePath' | 'hostsPath' | 'resolvConfPath'> {
  const owner = fileOwner(room, record);
  const shown = (path: string): string => (isActive(record.state) || existsSync(path) ? path : '');
  return {
    hostnamePath: shown(hostnamePath(room.options, owner)),
    hostsPath: shown(hostsPath(room.options, owner)),
    resolvConfPath: shown(resolvConfPath(room.options, owner)),
  };
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
    ...networkFiles(room, record),
    imageManifestDigest: image?.manifest?.digest,
    sandboxId: active ? derivedHex(64, 'sandbox', record.id, record.state.startedAt) : '',
    sandboxKey: active ? `/proc/${record.state.pid}/ns/net` : '',
  };
}
