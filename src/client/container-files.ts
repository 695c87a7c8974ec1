/** Files of a container: copies in and out, all of them, an image of them. */
import type { Api } from './api.ts';
import { idPath, on } from './container-paths.ts';
import type { ByteQueue } from './streams/byte-queue.ts';
import type { PathStat } from './types.ts';

function pathStatOf(header: string | undefined): PathStat {
  const parsed: unknown = JSON.parse(Buffer.from(header ?? '', 'base64').toString('utf8'));
  return parsed as PathStat;
}

/** Archives of paths, of the whole, as an image. */
export function containerFiles(api: Api) {
  return {
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
  };
}
