/** From a container's creation to its removal. */
import type { Api } from './api.ts';
import { idPath, on } from './container-paths.ts';
import { jsonValues } from './streams/json-lines.ts';
import type { Created, WaitResult } from './types.ts';

export interface CreateContainer {
  readonly name?: string | undefined;
  readonly platform?: string | undefined;
  /** Body of the request as the Engine API defines it. */
  readonly body: unknown;
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/** What changes a container. */
export function containerChanges(api: Api) {
  return {
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
  };
}

/** What concerns one that runs. */
export function containerRuntime(api: Api) {
  return {
    update: (id: string, body: unknown): Promise<{ readonly Warnings: readonly string[] | null }> =>
      api.json({ method: 'POST', path: idPath(id, '/update'), json: body }),
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
  };
}
