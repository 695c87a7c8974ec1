/** Containers and the processes started in them. */
import { type Api, encodeFilters } from './api.ts';
import type { ByteQueue } from './streams/byte-queue.ts';
import type { Hijacked } from './http/transport.ts';
import { jsonValues } from './streams/json-lines.ts';
import type {
  ContainerInspect,
  ContainerSummary,
  ContainerTop,
  Created,
  ExecInspect,
  FilesystemChange,
  PathStat,
  PruneReport,
  WaitResult,
} from './types.ts';

export type Filters = Readonly<Record<string, readonly string[]>>;

export interface ListContainers {
  readonly all?: boolean | undefined;
  readonly limit?: number | undefined;
  readonly size?: boolean | undefined;
  readonly filters?: Filters | undefined;
}

export interface CreateContainer {
  readonly name?: string | undefined;
  readonly platform?: string | undefined;
  /** Body of the request as the Engine API defines it. */
  readonly body: unknown;
}

export interface AttachContainer {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly logs?: boolean | undefined;
  readonly detachKeys?: string | undefined;
}

export interface LogsQuery {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow?: boolean | undefined;
  readonly timestamps?: boolean | undefined;
  readonly details?: boolean | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly tail?: string | undefined;
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

function pathStatOf(header: string | undefined): PathStat {
  const parsed: unknown = JSON.parse(Buffer.from(header ?? '', 'base64').toString('utf8'));
  return parsed as PathStat;
}

const idPath = (id: string, verb = ''): string => `/containers/${encodeURIComponent(id)}${verb}`;

/** `true` or nothing: docker leaves switches that are off out of the query. */
const on = (value: boolean | undefined): true | undefined => (value === true ? true : undefined);

export function containers(api: Api) {
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
    create: (input: CreateContainer): Promise<Created> =>
      api.json({
        method: 'POST',
        path: '/containers/create',
        query: { name: input.name, platform: input.platform },
        json: input.body,
      }),
    start: (
      id: string,
      input: {
        detachKeys?: string | undefined;
        checkpoint?: string | undefined;
        checkpointDir?: string | undefined;
      } = {},
    ) =>
      api.done({
        method: 'POST',
        path: idPath(id, '/start'),
        query: {
          detachKeys: input.detachKeys,
          checkpoint: input.checkpoint,
          'checkpoint-dir': input.checkpointDir,
        },
      }),
    /** `timeout` in seconds; -1 waits for ever. */
    stop: (id: string, input: { timeout?: number | undefined; signal?: string | undefined } = {}) =>
      api.done({
        method: 'POST',
        path: idPath(id, '/stop'),
        query: { t: input.timeout, signal: input.signal },
      }),
    restart: (id: string, input: { timeout?: number | undefined; signal?: string | undefined } = {}) =>
      api.done({
        method: 'POST',
        path: idPath(id, '/restart'),
        query: { t: input.timeout, signal: input.signal },
      }),
    kill: (id: string, signal?: string) =>
      api.done({ method: 'POST', path: idPath(id, '/kill'), query: { signal } }),
    pause: (id: string) => api.done({ method: 'POST', path: idPath(id, '/pause') }),
    unpause: (id: string) => api.done({ method: 'POST', path: idPath(id, '/unpause') }),
    rename: (id: string, name: string) =>
      api.done({ method: 'POST', path: idPath(id, '/rename'), query: { name } }),
    remove: (
      id: string,
      input: { force?: boolean | undefined; volumes?: boolean | undefined; link?: boolean | undefined } = {},
    ) =>
      api.done({
        method: 'DELETE',
        path: idPath(id),
        query: { v: on(input.volumes), link: on(input.link), force: on(input.force) },
      }),
    update: (id: string, body: unknown): Promise<{ readonly Warnings: readonly string[] | null }> =>
      api.json({ method: 'POST', path: idPath(id, '/update'), json: body }),
    top: (id: string, psArgs?: string): Promise<ContainerTop> =>
      api.json({ method: 'GET', path: idPath(id, '/top'), query: { ps_args: psArgs } }),
    diff: async (id: string): Promise<FilesystemChange[]> =>
      (await api.json<FilesystemChange[] | null>({ method: 'GET', path: idPath(id, '/changes') })) ?? [],
    resize: (id: string, size: { readonly rows: number; readonly columns: number }) =>
      api.done({ method: 'POST', path: idPath(id, '/resize'), query: { h: size.rows, w: size.columns } }),
    /**
     * Waits for the condition. `started` resolves once the engine has taken the request, so that a start after it
     * cannot be missed; `result` resolves when the container is there.
     */
    wait: async (
      id: string,
      condition?: WaitCondition,
    ): Promise<{ readonly result: Promise<WaitResult> }> => {
      const response = await api.send({ method: 'POST', path: idPath(id, '/wait'), query: { condition } });
      const first = async (): Promise<WaitResult> => {
        for await (const value of jsonValues<WaitResult>(response.body)) return value;
        throw new Error('unexpected EOF');
      };
      const result = first();
      result.catch(() => undefined);
      return { result };
    },
    attach: (id: string, input: AttachContainer): Promise<Hijacked> =>
      api.hijack({
        method: 'POST',
        path: idPath(id, '/attach'),
        query: {
          detachKeys: input.detachKeys,
          stream: true,
          stdin: on(input.stdin),
          stdout: on(input.stdout),
          stderr: on(input.stderr),
          logs: on(input.logs),
        },
      }),
    logs: async (id: string, input: LogsQuery, signal?: AbortSignal): Promise<ByteQueue> => {
      const response = await api.send({
        method: 'GET',
        path: idPath(id, '/logs'),
        query: {
          stdout: on(input.stdout),
          stderr: on(input.stderr),
          follow: on(input.follow),
          timestamps: on(input.timestamps),
          details: on(input.details),
          since: input.since,
          until: input.until,
          tail: input.tail,
        },
        signal,
      });
      return response.body;
    },
    stats: async (
      id: string,
      stream: boolean,
      signal?: AbortSignal,
    ): Promise<AsyncGenerator<unknown, void, undefined>> => {
      const query = { stream, 'one-shot': undefined };
      const response = await api.send({ method: 'GET', path: idPath(id, '/stats'), query, signal });
      return jsonValues<unknown>(response.body);
    },
    export: async (id: string): Promise<ByteQueue> =>
      (await api.send({ method: 'GET', path: idPath(id, '/export') })).body,
    statPath: async (id: string, path: string): Promise<PathStat> => {
      const response = await api.send({ method: 'HEAD', path: idPath(id, '/archive'), query: { path } });
      return pathStatOf(response.head.headers.get('x-docker-container-path-stat'));
    },
    getArchive: async (
      id: string,
      path: string,
    ): Promise<{ readonly stat: PathStat; readonly tar: ByteQueue }> => {
      const response = await api.send({ method: 'GET', path: idPath(id, '/archive'), query: { path } });
      return {
        stat: pathStatOf(response.head.headers.get('x-docker-container-path-stat')),
        tar: response.body,
      };
    },
    putArchive: (id: string, input: { path: string; copyUidGid: boolean; tar: AsyncIterable<Uint8Array> }) =>
      api.done({
        method: 'PUT',
        path: idPath(id, '/archive'),
        query: { path: input.path, noOverwriteDirNonDir: true, copyUIDGID: on(input.copyUidGid) },
        headers: { 'Content-Type': 'application/x-tar' },
        stream: input.tar,
      }),
    commit: (query: {
      container: string;
      repo?: string | undefined;
      tag?: string | undefined;
      comment?: string | undefined;
      author?: string | undefined;
      changes?: readonly string[] | undefined;
      pause?: boolean | undefined;
    }): Promise<{ readonly Id: string }> =>
      api.json({
        method: 'POST',
        path: '/commit',
        query: { ...query, pause: query.pause === false ? false : undefined },
        json: {},
      }),
    prune: (filters: Filters = {}): Promise<PruneReport> =>
      api.json({ method: 'POST', path: '/containers/prune', query: { filters: encodeFilters(filters) } }),
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
