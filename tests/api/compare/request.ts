/** One request that dockerd and our engine must answer alike, and short words to write many of them. */

export interface CompareRequest {
  readonly method: string;
  /** Without the version. `{name}` stands for what an earlier answer gave. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  /** Keeps the `Id` of the answer under this name for later requests. */
  readonly keepId?: string;
}

type Body = string | object;
const textOf = (body: Body): string => (typeof body === 'string' ? body : JSON.stringify(body));

export const post = (path: string, body?: Body, contentType = 'application/json'): CompareRequest => ({
  method: 'POST',
  path,
  ...(body === undefined ? {} : { body: textOf(body), contentType }),
});
export const get = (path: string): CompareRequest => ({ method: 'GET', path });
export const head = (path: string): CompareRequest => ({ method: 'HEAD', path });
export const remove = (path: string): CompareRequest => ({ method: 'DELETE', path });
export const put = (path: string, body: string): CompareRequest => ({
  method: 'PUT',
  path,
  body,
  contentType: 'application/x-tar',
});
export const keeping = (keepId: string, request: CompareRequest): CompareRequest => ({ ...request, keepId });
export const filters = (value: unknown): string => `filters=${encodeURIComponent(JSON.stringify(value))}`;

/** How a request is named in recordings and in the list of accepted differences. */
export function nameOf(request: CompareRequest): string {
  const body = request.body === undefined ? '' : ` ${request.body}`;
  const type =
    request.contentType === undefined || request.contentType === 'application/json'
      ? ''
      : ` (${request.contentType})`;
  return `${request.method} ${decodeURIComponent(request.path.replace(/%(?![0-9a-f]{2})/gi, '%25'))}${body}${type}`;
}
