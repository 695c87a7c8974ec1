/** Streams of a container: its terminal or pipes, its log, its use of resources. */
import type { Api } from './api.ts';
import { idPath, on } from './container-paths.ts';
import type { Hijacked } from './http/transport.ts';
import type { ByteQueue } from './streams/byte-queue.ts';
import { jsonValues } from './streams/json-lines.ts';

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

/** What a container says and is told. */
export function containerStreams(api: Api) {
  return {
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
  };
}
