/** Networks. */
import { type Api, encodeFilters } from './api.ts';
import type { Filters } from './containers.ts';
import type { NetworkSummary, PruneReport } from './types.ts';

/** Answers of the engine's own operations. */
export interface Exposure {
  readonly HostAddresses: readonly string[];
  readonly Exposed: readonly {
    readonly ContainerID: string;
    readonly ContainerName: string;
    readonly Network: string;
    readonly Address: string;
    readonly ContainerPort: string;
    readonly Scope: string;
    readonly From: string;
  }[];
  readonly Notes: readonly string[];
}

export interface Trace {
  readonly Passes: boolean;
  readonly Steps: readonly { readonly Verdict: string; readonly Text: string }[];
}

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
    exposure: (): Promise<Exposure> => api.json({ method: 'GET', path: '/slipway/networks/exposure' }),
    trace: (source: string, destination: string): Promise<Trace> =>
      api.json({ method: 'GET', path: '/slipway/networks/trace', query: { source, destination } }),
    /** Publishes and unpublishes ports of a container, at once where it runs; maps as `HostConfig.PortBindings`. */
    changePorts: (container: string, body: { readonly Add: unknown; readonly Remove: unknown }) =>
      api.done({
        method: 'POST',
        path: `/slipway/containers/${encodeURIComponent(container)}/ports`,
        json: body,
      }),
    prune: (filters: Filters = {}): Promise<PruneReport> =>
      api.json({ method: 'POST', path: '/networks/prune', query: { filters: encodeFilters(filters) } }),
  };
}
