import type { Ctx } from '../../core/ctx.ts';
import type { DiskUsage, DiskUsageKind } from './types.ts';
import type { SystemDeps } from './deps.ts';

/** What takes space, by kind; shared layers are counted once. */
export async function diskUsage(
  deps: Pick<SystemDeps, 'images' | 'containers' | 'volumes'>,
  ctx: Ctx,
  kinds: readonly DiskUsageKind[],
): Promise<DiskUsage> {
  const wanted = (kind: DiskUsageKind): boolean => kinds.length === 0 || kinds.includes(kind);
  const [images, containers, volumes] = await Promise.all([
    wanted('image') ? deps.images.usage() : undefined,
    wanted('container')
      ? deps.containers.list(ctx, { all: true, limit: 0, size: true, filters: {} })
      : undefined,
    wanted('volume') ? deps.volumes.usage() : undefined,
  ]);
  return { images, containers, volumes, buildCache: wanted('build-cache') };
}
