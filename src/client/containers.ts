/** Containers and the processes started in them. */
import { type Api, encodeFilters } from './api.ts';
import { containerCheckpoints } from './container-checkpoints.ts';
import { containerFiles } from './container-files.ts';
import { containerChanges, containerRuntime } from './container-life.ts';
import { idPath, on } from './container-paths.ts';
import { containerStreams } from './container-streams.ts';
import type { Hijacked } from './http/transport.ts';
import type {
  ContainerInspect,
  ContainerSummary,
  ContainerTop,
  ExecInspect,
  FilesystemChange,
  PruneReport,
} from './types.ts';

export type { WaitCondition } from './container-life.ts';

export type Filters = Readonly<Record<string, readonly string[]>>;

export interface ListContainers {
  readonly all?: boolean | undefined;
  readonly limit?: number | undefined;
  readonly size?: boolean | undefined;
  readonly filters?: Filters | undefined;
}

function containerLists(api: Api) {
  return {
    list: (input: ListContainers = {}): Promise<ContainerSummary[]> =>
      api.json({
        method: 'GET',
        path: '/containers/json',
        query: {
          all: on(input.all),
          limit: input.limit,
          size: on(input.size),
          filters: encodeFilters(input.filters ?? {}),
        },
      }),
    inspect: (id: string): Promise<ContainerInspect> =>
      api.json({ method: 'GET', path: idPath(id, '/json') }),
    /** The answer's text, for those who show it as it is. */
    inspectRaw: (id: string, size = false): Promise<string> =>
      api.text({ method: 'GET', path: idPath(id, '/json'), query: { size: on(size) } }),
    top: (id: string, psArgs?: string): Promise<ContainerTop> =>
      api.json({ method: 'GET', path: idPath(id, '/top'), query: { ps_args: psArgs } }),
    diff: async (id: string): Promise<FilesystemChange[]> =>
      (await api.json<FilesystemChange[] | null>({ method: 'GET', path: idPath(id, '/changes') })) ?? [],
    prune: (filters: Filters = {}): Promise<PruneReport> =>
      api.json({ method: 'POST', path: '/containers/prune', query: { filters: encodeFilters(filters) } }),
  };
}

export function containers(api: Api) {
  return {
    ...containerLists(api),
    ...containerChanges(api),
    ...containerRuntime(api),
    ...containerCheckpoints(api),
    ...containerStreams(api),
    ...containerFiles(api),
  };
}

export function exec(api: Api) {
  const path = (id: string, verb: string): string => `/exec/${encodeURIComponent(id)}${verb}`;
  return {
    create: (container: string, body: unknown): Promise<{ readonly Id: string }> =>
      api.json({ method: 'POST', path: idPath(container, '/exec'), json: body }),
    start: (id: string, body: unknown) => api.done({ method: 'POST', path: path(id, '/start'), json: body }),
    attach: (id: string, body: unknown): Promise<Hijacked> =>
      api.hijack({ method: 'POST', path: path(id, '/start'), json: body }),
    inspect: (id: string): Promise<ExecInspect> => api.json({ method: 'GET', path: path(id, '/json') }),
    resize: (id: string, size: { readonly rows: number; readonly columns: number }) =>
      api.done({ method: 'POST', path: path(id, '/resize'), query: { h: size.rows, w: size.columns } }),
  };
}
