/** Sends the requests to an engine and keeps of each answer what two engines must have alike. */

import { request as httpRequest, type IncomingMessage } from 'node:http';
import { badRequests } from './bad-requests.ts';
import { createdByVersion, createRequests } from './create-requests.ts';
import { goodRequests, world, worldEnd } from './good-requests.ts';
import { networkRequests } from './network-requests.ts';
import { nameOf, remove, type CompareRequest } from './request.ts';
import { shapeOf } from './shape.ts';

export interface Observed {
  readonly name: string;
  readonly status: number;
  /** Media type, the message of an error, and `path: type` lines of a JSON answer. */
  readonly lines: readonly string[];
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** In this order: each group leaves the world as it found it. */
export const allRequests: readonly CompareRequest[] = [
  ...world,
  ...createRequests,
  ...badRequests,
  ...networkRequests,
  ...goodRequests,
  ...worldEnd,
];

function send(socketPath: string, version: string, wanted: CompareRequest): Promise<Answer> {
  const prefix = /^\/(v\d|nope)/.test(wanted.path) ? '' : `/v${version}`;
  return new Promise((resolve, reject) => {
    const headers = wanted.contentType === undefined ? {} : { 'Content-Type': wanted.contentType };
    const options = { socketPath, method: wanted.method, path: prefix + wanted.path, headers, agent: false };
    const client = httpRequest(options, (response) => {
      let text = '';
      response.setEncoding('latin1');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
      response.on('error', reject);
    });
    client.setTimeout(25_000, () => client.destroy(new Error('no answer within 25 s')));
    client.on('error', reject);
    client.end(wanted.body);
  });
}

/** Ids differ between any two runs. */
function neutral(text: string): string {
  return text.replaceAll(/\b[0-9a-f]{64}\b/g, '<id>').replaceAll(/\b[0-9a-f]{12}\b/g, '<short id>');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'latin1').toString()) as unknown;
  } catch {
    return undefined;
  }
}

function bodyLines(answer: Answer): readonly string[] {
  const value = parse(answer.text);
  if (answer.status >= 400) {
    const message = (value as { message?: unknown } | undefined)?.message;
    return [
      typeof message === 'string'
        ? `message: ${neutral(message.trim())}`
        : `text: ${neutral(answer.text.trim())}`,
    ];
  }
  if (answer.text === '') return [];
  return value === undefined ? ['bytes'] : [...shapeOf(value)];
}

function headerLines({ headers }: Answer): readonly string[] {
  const type = headers['content-type'];
  const stat = headers['x-docker-container-path-stat'];
  return [
    ...(type === undefined ? [] : [`type: ${type}`]),
    ...(typeof stat === 'string' ? [`stat: ${[...shapeOf(parse(atob(stat)))].join(', ')}`] : []),
  ];
}

/** What a request made that was meant to fail, or to make something nameless: gone before the next one. */
function undoOf(wanted: CompareRequest, value: unknown): CompareRequest | undefined {
  const { Id: id, Name: name } = (value ?? {}) as { Id?: string; Name?: string };
  if (wanted.method !== 'POST' || world.includes(wanted)) return undefined;
  if (/^\/containers\/create(?!\?name=linked)/.test(wanted.path) && id !== undefined)
    return remove(`/containers/${id}?v=1`);
  if (wanted.path === '/networks/create' && !wanted.body?.includes('net2') && id !== undefined)
    return remove(`/networks/${id}`);
  if (wanted.path === '/volumes/create' && name !== undefined) return remove(`/volumes/${name}`);
  return undefined;
}

/** What came back for a request, for whoever wants to look closer. */
export interface Seen {
  readonly wanted: CompareRequest;
  readonly status: number;
  /** Undefined when it was no JSON. */
  readonly value: unknown;
}

interface Run {
  readonly socket: string;
  readonly version: string;
  /** Of what earlier requests made, by the name that they gave it. */
  readonly ids: Map<string, string>;
  readonly see?: (seen: Seen) => void;
}

/** Runs the requests, one after another. */
async function runAll(
  { socket, version, ids, see }: Run,
  requests: readonly CompareRequest[],
): Promise<Observed[]> {
  const all: Observed[] = [];
  for (const wanted of requests) {
    const path = wanted.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids.get(name) ?? name);
    const name = nameOf(wanted);
    try {
      const answer = await send(socket, version, { ...wanted, path });
      const value = parse(answer.text);
      see?.({ wanted, status: answer.status, value });
      const id = (value as { Id?: string } | undefined)?.Id;
      const undo = answer.status === 201 ? undoOf(wanted, value) : undefined;
      if (undo !== undefined) await send(socket, version, undo);
      if (wanted.keepId !== undefined && id !== undefined) ids.set(wanted.keepId, id);
      all.push({ name, status: answer.status, lines: [...headerLines(answer), ...bodyLines(answer)] });
    } catch (error) {
      all.push({ name, status: 0, lines: [`failed: ${(error as Error).message}`] });
    }
  }
  return all;
}

/** Runs all requests. */
export async function observe(
  socket: string,
  version: string,
  see: (seen: Seen) => void = () => {},
): Promise<Observed[]> {
  return await runAll({ socket, version, ids: new Map(), see }, allRequests);
}

/** Versions of the API with fields that later ones dropped or lack; dockerd 26.1 serves all of them. */
export const olderVersions = ['1.24', '1.30', '1.40', '1.43'] as const;

/** What shows the world, and requests whose answer or effect hangs on the version. Stats are no matter of versions. */
export const versionRequests: readonly CompareRequest[] = [
  ...createdByVersion,
  ...goodRequests.filter(({ method, path }) => method === 'GET' && !/stats\?|\/images\/made/.test(path)),
];

/** One world, looked at in each of the older versions. */
export async function observeVersions(
  socket: string,
): Promise<Readonly<Record<string, readonly Observed[]>>> {
  const ids = new Map<string, string>();
  const newest = { socket, version: olderVersions.at(-1) ?? '', ids };
  const seen: Record<string, readonly Observed[]> = {};
  await runAll(newest, world);
  for (const version of olderVersions)
    seen[version] = await runAll({ socket, version, ids }, versionRequests);
  await runAll(newest, worldEnd);
  return seen;
}

export interface Difference {
  readonly name: string;
  /** `status 400 | 404`, `- line` only of the reference, `+ line` only of ours. */
  readonly lines: readonly string[];
}

function differenceOf(reference: Observed, ours: Observed): readonly string[] {
  const [left, right] = [new Set(reference.lines), new Set(ours.lines)];
  return [
    ...(reference.status === ours.status ? [] : [`status ${reference.status} | ${ours.status}`]),
    ...reference.lines.filter((line) => !right.has(line)).map((line) => `- ${line}`),
    ...ours.lines.filter((line) => !left.has(line)).map((line) => `+ ${line}`),
  ];
}

/** Both lists hold the same requests in the same order. */
export function differences(reference: readonly Observed[], ours: readonly Observed[]): Difference[] {
  return reference.flatMap((left, index) => {
    const right = ours[index];
    if (right === undefined || right.name !== left.name) {
      throw new Error(`the recording does not fit: ${left.name} | ${right?.name ?? 'nothing'}; record again`);
    }
    const lines = differenceOf(left, right);
    return lines.length === 0 ? [] : [{ name: left.name, lines }];
  });
}
