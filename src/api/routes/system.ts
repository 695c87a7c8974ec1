/** The engine itself: ping, version, info, events, disk usage, authentication. */

import { once } from 'node:events';
import { invalid } from '../../core/errors.ts';
import type { DiskUsageKind } from '../../services/system/index.ts';
import { encodeEvent } from '../encode/events.ts';
import { encodeDiskUsage, encodeInfo, encodeVersion } from '../encode/system.ts';
import { parseTimestamp } from '../encode/time.ts';
import type { Exchange } from '../exchange.ts';
import { drained } from '../streams/frames.ts';
import { sequenceFormat } from '../streams/progress.ts';
import { choosesDiskUsage, hasDiskUsageTotals } from '../versions.ts';
import type { ApiServices } from '../services.ts';
import type { Routes } from './route.ts';

function ping(_services: ApiServices, exchange: Exchange): void {
  const { response } = exchange;
  response.setHeader('Builder-Version', '1');
  response.setHeader('Swarm', 'inactive');
  response.setHeader('Cache-Control', 'no-cache, no-store, must-revalidate');
  response.setHeader('Pragma', 'no-cache');
  if (exchange.request.method !== 'HEAD') return exchange.send(200, 'text/plain; charset=utf-8', 'OK');
  response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': 0 });
  response.end();
}

async function events(services: ApiServices, exchange: Exchange<'SystemEvents'>): Promise<void> {
  const { query, version } = exchange;
  const since = parseTimestamp(query.optional('since'));
  const until = parseTimestamp(query.optional('until'));
  if (since !== undefined && until !== undefined && since > until) {
    throw invalid(
      `\`since\` time (${query.string('since')}) cannot be after \`until\` time (${query.string('until')})`,
    );
  }
  const input = { sinceNano: since, untilNano: until, filters: query.filters() };
  const stream = services.system.events(exchange.clientCtx, input);
  const format = sequenceFormat(exchange.header('accept'));
  const response = exchange.stream(200, format.contentType);
  for await (const event of stream) {
    const more = response.write(`${format.prefix}${encodeEvent(event, version)}\n`);
    if (!more) await drained(response);
  }
  if (!response.destroyed) {
    response.end();
    await once(response, 'close');
  }
}

const kinds: readonly DiskUsageKind[] = ['container', 'image', 'volume', 'build-cache'];

async function diskUsage(services: ApiServices, exchange: Exchange<'SystemDataUsage'>): Promise<void> {
  const { query, version } = exchange;
  const types = choosesDiskUsage(version) ? query.list('type') : [];
  const wanted = types.map((text) => {
    const kind = kinds.find((known) => known === text);
    if (kind === undefined) throw invalid(`unknown object type: ${text}`);
    return kind;
  });
  const usage = await services.system.diskUsage(exchange.clientCtx, wanted);
  const verbose = query.bool('verbose') && hasDiskUsageTotals(version);
  exchange.json(200, encodeDiskUsage(usage, verbose, version));
}

export const systemRoutes: Routes<
  | 'SystemPing'
  | 'SystemPingHead'
  | 'SystemVersion'
  | 'SystemInfo'
  | 'SystemEvents'
  | 'SystemDataUsage'
  | 'SystemAuth'
  | 'BuildPrune'
  | 'SlipwayRepair'
> = {
  SystemPing: ping,
  SystemPingHead: ping,
  SystemVersion: (services, exchange) => exchange.json(200, encodeVersion(services.system.version())),
  SystemInfo: async (services, exchange) => {
    exchange.json(200, encodeInfo(await services.system.info(exchange.clientCtx), exchange.version));
  },
  SystemEvents: events,
  // `docker system prune` asks for this too; without a builder there is no cache to remove.
  BuildPrune: (_services, exchange) => exchange.json(200, { CachesDeleted: null, SpaceReclaimed: 0 }),
  SystemDataUsage: diskUsage,
  SlipwayRepair: async (services, exchange) => {
    const actions = await services.system.repair(exchange.ctx, exchange.query.bool('dryRun'));
    exchange.json(200, { Actions: actions });
  },
  SystemAuth: async (services, exchange) => {
    const body = (await exchange.requiredBody()) as Readonly<Record<string, string | undefined>>;
    const result = await services.images.login(exchange.clientCtx, body['serveraddress'] ?? '', {
      ...(body['username'] === undefined ? {} : { username: body['username'] }),
      ...(body['password'] === undefined ? {} : { password: body['password'] }),
      ...(body['identitytoken'] === undefined ? {} : { identityToken: body['identitytoken'] }),
      ...(body['registrytoken'] === undefined ? {} : { registryToken: body['registrytoken'] }),
    });
    exchange.json(200, { IdentityToken: result.identityToken, Status: result.status });
  },
};
