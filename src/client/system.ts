/** The engine itself. */
import { type Api, encodeFilters } from './api.ts';
import type { Filters } from './containers.ts';
import { jsonTexts } from './streams/json-lines.ts';
import type { DiskUsage, EngineVersion, PruneReport } from './types.ts';

export function system(api: Api) {
  return {
    ping: () => api.negotiate(),
    version: (): Promise<EngineVersion> => api.json({ method: 'GET', path: '/version' }),
    info: (): Promise<Record<string, unknown>> => api.json({ method: 'GET', path: '/info' }),
    diskUsage: (types: readonly string[] = []): Promise<DiskUsage> =>
      api.json({ method: 'GET', path: '/system/df', query: { type: types } }),
    /** Each event as the JSON text it came in; parse to EventMessage. */
    events: async (input: { since?: string; until?: string; filters?: Filters; signal?: AbortSignal }) => {
      const response = await api.send({
        method: 'GET',
        path: '/events',
        query: { since: input.since, until: input.until, filters: encodeFilters(input.filters ?? {}) },
        signal: input.signal,
      });
      return jsonTexts(response.body);
    },
    pruneBuildCache: (input: { all?: boolean; filters?: Filters } = {}): Promise<PruneReport> =>
      api.json({
        method: 'POST',
        path: '/build/prune',
        query: { all: input.all === true ? true : undefined, filters: encodeFilters(input.filters ?? {}) },
      }),
    /** What reconciling would do; `dryRun` only asks. Slipway's own. */
    repair: (dryRun: boolean): Promise<unknown> =>
      api.json({
        method: 'POST',
        path: '/slipway/system/repair',
        query: { dryRun: dryRun ? true : undefined },
      }),
  };
}
