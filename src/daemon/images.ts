/** Images with their registries, the garbage collector's policy and the containers that hold images back. */

import { statfs } from 'node:fs/promises';
import type { ContainerRecord } from '../core/model/container.ts';
import { trimHeap } from '../host/index.ts';
import { createRegistry, createRemoteFiles } from '../registry/index.ts';
import {
  openImages,
  readTrustPolicy,
  type ContainerUsage,
  type ImageService,
} from '../services/images/index.ts';
import type { Base } from './base.ts';
import type { Records } from './containers.ts';
import { proxyEnvironment } from './proxies.ts';

export function buildImages(base: Base, containers: Records): Promise<ImageService> {
  const { options, log, events, platform } = base;
  const { records, blobs, snapshots } = base.storage;
  const { trustPolicy } = options;
  const proxyEnv = proxyEnvironment(options);
  const registry = createRegistry({
    insecureRegistries: options.insecureRegistries,
    mirrors: options.registryMirrors,
    proxyEnv,
    onThreadEnd: trimHeap,
  });
  const usage = ({ id, name, imageId, imageRef, state, mounts }: ContainerRecord): ContainerUsage[] => {
    const active = ['running', 'paused', 'restarting', 'starting'].includes(state.status);
    const mounted = new Set(mounts.flatMap((mount) => mount.imageId ?? []));
    mounted.delete(imageId);
    return [
      { id, name, imageId, imageRef, active },
      ...[...mounted].map((image) => ({ id, name, imageId: image, imageRef: image, active })),
    ];
  };
  return openImages({
    records,
    blobs,
    snapshots,
    registry,
    remoteFiles: createRemoteFiles({ proxyEnv }),
    concurrentDownloads: options.maxConcurrentDownloads,
    concurrentUploads: options.maxConcurrentUploads,
    ...(trustPolicy !== undefined && { trustPolicy: () => readTrustPolicy(trustPolicy) }),
    events,
    log,
    platform,
    containers: () => containers().flatMap(usage),
    collecting: {
      policy: options.imagePolicy,
      diskUse: async () => {
        const { blocks, bavail, bfree, bsize } = await statfs(base.dataRoot);
        // As df has it: what is reserved for root counts as neither used nor free.
        return { total: (blocks - bfree + bavail) * bsize, free: bavail * bsize };
      },
    },
  });
}
