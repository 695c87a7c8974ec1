/** Volumes. */
import { type Api, encodeFilters } from './api.ts';
import type { Filters } from './containers.ts';
import type { PruneReport, VolumeSummary } from './types.ts';

export function volumes(api: Api) {
  const path = (name: string): string => `/volumes/${encodeURIComponent(name)}`;
  return {
    list: (
      filters: Filters = {},
    ): Promise<{
      readonly Volumes: readonly VolumeSummary[] | null;
      readonly Warnings?: readonly string[] | null;
    }> => api.json({ method: 'GET', path: '/volumes', query: { filters: encodeFilters(filters) } }),
    inspectRaw: (name: string): Promise<string> => api.text({ method: 'GET', path: path(name) }),
    create: (body: unknown): Promise<VolumeSummary> =>
      api.json({ method: 'POST', path: '/volumes/create', json: body }),
    remove: (name: string, force = false) =>
      api.done({ method: 'DELETE', path: path(name), query: { force: force ? true : undefined } }),
    prune: (filters: Filters = {}): Promise<PruneReport> =>
      api.json({ method: 'POST', path: '/volumes/prune', query: { filters: encodeFilters(filters) } }),
  };
}
