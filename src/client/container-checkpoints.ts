/** Checkpoints of containers: experimental in Docker. */
import type { Api } from './api.ts';
import { idPath } from './container-paths.ts';

export interface CreateCheckpoint {
  readonly name: string;
  /** A folder on the engine's host; undefined for the container's own. */
  readonly directory?: string | undefined;
  /** Whether the container ends. */
  readonly exit: boolean;
}

export function containerCheckpoints(api: Api) {
  return {
    createCheckpoint: (id: string, input: CreateCheckpoint) =>
      api.done({
        method: 'POST',
        path: idPath(id, '/checkpoints'),
        json: { CheckpointID: input.name, CheckpointDir: input.directory ?? '', Exit: input.exit },
      }),
    listCheckpoints: async (id: string, directory?: string): Promise<readonly { readonly Name: string }[]> =>
      (await api.json<readonly { readonly Name: string }[] | null>({
        method: 'GET',
        path: idPath(id, '/checkpoints'),
        query: { dir: directory },
      })) ?? [],
    removeCheckpoint: (id: string, name: string, directory?: string) =>
      api.done({
        method: 'DELETE',
        path: idPath(id, `/checkpoints/${encodeURIComponent(name)}`),
        query: { dir: directory },
      }),
  };
}
