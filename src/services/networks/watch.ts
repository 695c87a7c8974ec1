/**
 * What someone takes away from under the engine comes back within a moment: a flushed ruleset, the table, a bridge, the
 * interface of a running container. The kernel tells of every such change, ours too: then everything stands already.
 */

import { existsSync } from 'node:fs';
import { backgroundCtx, type Ctx } from '../../core/ctx.ts';
import { isActive } from '../../core/model/container.ts';
import type { NetworkChange } from '../../core/ports/host.ts';
import type { Networks } from './deps.ts';
import { driverOf, listContainers } from './deps.ts';
import { repairEndpoints } from './restore.ts';
import type { RestoredContainer } from './types.ts';
import { restoreWalls } from './walls.ts';

/** A firewall that reloads makes hundreds of changes: they are met together. */
const settleMs = 30;
/** An ended container's interface goes before its end is known: only what is missed after this long is put back. */
const endpointMs = 500;
/** Someone who takes our rules away again and again is not to keep the engine busy. */
const restMs = 1000;

interface Pending {
  rules: boolean;
  readonly bridges: Set<string>;
  readonly endpoints: Set<string>;
}

const nothing = (): Pending => ({ rules: false, bridges: new Set(), endpoints: new Set() });

function sort(room: Networks, pending: Pending, changes: readonly NetworkChange[]): void {
  const bridges = new Set(room.state.all().flatMap(({ network }) => network.bridgeName ?? []));
  const endpoints = new Set(
    [...room.state.attached.values()].flatMap((attached) =>
      Object.values(attached.endpoints).map((endpoint) => endpoint.hostInterfaceName),
    ),
  );
  for (const change of changes) {
    if (change.kind === 'rules') pending.rules = true;
    else if (change.kind === 'elements') {
      // Sets of others change all the time, and mean nothing to us.
      if (change.table === room.firewall.table) pending.rules = true;
    } else if (change.kind === 'lost') {
      pending.rules = true;
      for (const name of bridges) pending.bridges.add(name);
    } else if (bridges.has(change.name)) pending.bridges.add(change.name);
    else if (endpoints.has(change.name)) pending.endpoints.add(change.name);
  }
}

/** Containers that run by all accounts, with the namespace where they do. */
function runningNow(room: Networks): readonly RestoredContainer[] {
  const records = new Map(listContainers(room).map((record) => [record.id, record]));
  return [...room.state.attached.keys()].flatMap((id) => {
    const record = records.get(id);
    if (record === undefined || !isActive(record.state) || record.state.status === 'starting') return [];
    const namespace = room.directory.current?.namespace(record);
    return namespace === undefined || !existsSync(namespace.path) ? [] : [{ record, namespace }];
  });
}

async function repairBridges(room: Networks, ctx: Ctx, names: ReadonlySet<string>): Promise<void> {
  for (const { network } of room.state.all()) {
    if (network.bridgeName === undefined || !names.has(network.bridgeName)) continue;
    await room.queue.run(network.id, async () => {
      // It may have been removed while this waited.
      if (room.state.byId(network.id) !== undefined)
        await driverOf(room, network.driver)?.ensure(ctx, network);
    });
  }
}

async function repair(room: Networks, ctx: Ctx, pending: Pending): Promise<void> {
  if (pending.bridges.size > 0) await repairBridges(room, ctx, pending.bridges);
  if (pending.rules) await restoreWalls(room, ctx);
  if (pending.bridges.size > 0 || pending.endpoints.size > 0)
    await repairEndpoints(room, ctx, runningNow(room));
}

/** Begins to watch; the answer ends it. Nothing where the host cannot be watched. */
export function watchKernel(room: Networks): () => void {
  const ctx = backgroundCtx(room.log);
  let pending = nothing();
  let timer: NodeJS.Timeout | undefined;
  let last = 0;
  const work = async (): Promise<void> => {
    const current = pending;
    pending = nothing();
    timer = undefined;
    last = performance.now();
    try {
      await repair(room, ctx, current);
    } catch (error) {
      room.log.error('what was changed in the network of the host could not be put right', { error });
    }
  };
  const end = room.host.watchNetwork?.((changes) => {
    sort(room, pending, changes);
    const urgent = pending.rules || pending.bridges.size > 0;
    if (!urgent && pending.endpoints.size === 0) return;
    const wait = Math.max(urgent ? settleMs : endpointMs, last + restMs - performance.now());
    timer ??= setTimeout(() => void work(), wait).unref();
  });
  return () => {
    clearTimeout(timer);
    end?.();
  };
}
