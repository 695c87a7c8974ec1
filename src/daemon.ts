/**
 * The composition root: this file and `daemon/`, the only ones that name concrete drivers. Builds every room from the
 * options, in the order in which they need each other, restores what a former daemon left running, and opens the API
 * last.
 */

import { createApiServer, type ApiServer } from './api/index.ts';
import { unreadOutput } from './host/index.ts';
import type { Logger } from './core/log.ts';
import { openBase } from './daemon/base.ts';
import { buildContainers, buildVolumes, type Records } from './daemon/containers.ts';
import { engineFacts } from './daemon/engine-facts.ts';
import { releaseRuntimes } from './daemon/guard-runtimes.ts';
import { buildImages } from './daemon/images.ts';
import { listenerOf } from './daemon/listen.ts';
import { buildNetworks } from './daemon/networks.ts';
import type { DaemonOptions } from './daemon/options.ts';
import { productVersion } from './daemon/version.ts';
import { createSystemService } from './services/system/index.ts';
import { closeMappedView } from './storage/index.ts';

export interface Daemon {
  /** The addresses on which the API answers. */
  readonly addresses: readonly string[];
  /** Stops serving; containers, their logs, names and ports go on. Idempotent. */
  close(): Promise<void>;
}

/** Starts everything. What it throws is a sentence for the person who started it. */
export async function startDaemon(options: DaemonOptions, log: Logger): Promise<Daemon> {
  const base = await openBase(options, log);
  const { ctx, events, storage } = base;
  const { records, trash } = storage;
  const { networks, helper, spare } = buildNetworks(base);
  // Images and volumes ask which containers use them, and containers need both: they ask only once all are there.
  const used: Records = () => containers.service.records();
  const [images, volumes] = await Promise.all([buildImages(base, used), buildVolumes(base, used)]);
  const containers = buildContainers(base, { images, volumes, networks });
  await containers.lifecycle.load();
  networks.bindContainers(containers.lifecycle.directory);
  await containers.lifecycle.restore(ctx, (running) => networks.restore(ctx, running));
  trash.empty();
  const system = createSystemService({
    engine: engineFacts(base),
    containers: containers.service,
    images,
    volumes,
    events,
    records,
    repair: (repairCtx, choice) => containers.lifecycle.repair(repairCtx, choice),
    warnings: () => networks.status(),
  });
  const api = createApiServer(
    { containers: containers.service, images, networks, volumes, system },
    { version: productVersion, experimental: options.experimental, log, unreadOutput },
  );
  // Once after a boot this takes some 50 ms of both processors, which would be missing to the first container.
  await base.oci.usualFilters;
  spare.refill();
  const addresses = await listenAll(api, options);
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await api.close();
    containers.lifecycle.close();
    helper.close();
    await spare.close();
    await storage.snapshots.settle();
    await trash.close();
    await records.close();
    await storage.workers.close();
    await releaseRuntimes(base.host, base.runRoot);
    await closeMappedView(base.host, base.mappedView);
    await base.host.close();
  };
  return { addresses, close: () => (closing ??= close()) };
}

async function listenAll(api: ApiServer, options: DaemonOptions): Promise<readonly string[]> {
  const addresses: string[] = [];
  for (const given of options.hosts) addresses.push(await api.listen(listenerOf(given, options)));
  return addresses;
}
