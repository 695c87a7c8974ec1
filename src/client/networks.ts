/** Networks. */
import { type Api, encodeFilters } from './api.ts';
import type { Filters } from './containers.ts';
import type { NetworkSummary, PruneReport } from './types.ts';

export function networks(api: Api) {
  const path = (id: string, verb = ''): string => `/networks/${encodeURIComponent(id)}${verb}`;
  return {
    list: (filters: Filters = {}): Promise<NetworkSummary[]> =>
      api.json({ method: 'GET', path: '/networks', query: { filters: encodeFilters(filters) } }),
    inspectRaw: (id: string, input: { verbose?: boolean; scope?: string } = {}): Promise<string> =>
      api.text({
        method: 'GET',
        path: path(id),
        query: { verbose: input.verbose === true ? 'true' : undefined, scope: input.scope },
      }),
    create: (body: unknown): Promise<{ readonly Id: string; readonly Warning?: string }> =>
      api.json({ method: 'POST', path: '/networks/create', json: body }),
    connect: (id: string, body: unknown) =>
      api.done({ method: 'POST', path: path(id, '/connect'), json: body }),
    disconnect: (id: string, body: unknown) =>
      api.done({ method: 'POST', path: path(id, '/disconnect'), json: body }),
    remove: (id: string) => api.done({ method: 'DELETE', path: path(id) }),
    prune: (filters: Filters = {}): Promise<PruneReport> =>
      api.json({ method: 'POST', path: '/networks/prune', query: { filters: encodeFilters(filters) } }),
  };
}
