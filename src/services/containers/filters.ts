/** The filters of `ps` and `container prune`, with Docker's meaning and words. */

import { invalid } from '../../core/errors.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import { patternOf } from '../../core/name-patterns.ts';
import { parseNano } from '../../core/time.ts';
import type { Filters } from './types.ts';

export const listFilters = [
  'ancestor',
  'before',
  'since',
  'exited',
  'expose',
  'health',
  'id',
  'isolation',
  'is-task',
  'label',
  'name',
  'network',
  'publish',
  'status',
  'volume',
] as const;
export const pruneFilters = ['until', 'label', 'label!'] as const;

export function checkFilters(filters: Filters, accepted: readonly string[]): void {
  for (const key of Object.keys(filters)) {
    if (!accepted.includes(key)) throw invalid(`invalid filter '${key}'`);
  }
}

const statuses = ['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead'];
const healths = ['starting', 'healthy', 'unhealthy', 'none'];

const booleans = new Set(['0', '1', 'f', 't', 'false', 'true']);

export function checkValues(filters: Filters): void {
  for (const status of filters['status'] ?? []) {
    if (!statuses.includes(status)) throw invalid(`invalid filter 'status=${status}'`);
  }
  for (const health of filters['health'] ?? []) {
    if (!healths.includes(health)) throw invalid(`unrecognized filter value for health: ${health}`);
  }
  for (const code of filters['exited'] ?? []) {
    if (!/^-?\d+$/.test(code))
      throw invalid(
        `invalid filter 'exited=${code}': strconv.Atoi: parsing ${JSON.stringify(code)}: invalid syntax`,
      );
  }
  for (const task of filters['is-task'] ?? []) {
    if (!booleans.has(task.toLowerCase())) throw invalid(`invalid filter 'is-task=[${task}]'`);
  }
  for (const name of ['publish', 'expose']) {
    for (const port of filters[name] ?? []) portMatcher(port, name);
  }
}

/** `key` or `key=value`; all must hold. */
export function matchesLabels(labels: Readonly<Record<string, string>>, wanted: readonly string[]): boolean {
  return wanted.every((text) => {
    const at = text.indexOf('=');
    const key = at < 0 ? text : text.slice(0, at);
    if (!Object.hasOwn(labels, key)) return false;
    return at < 0 || labels[key] === text.slice(at + 1);
  });
}

/** The filters whose values are regular expressions, made ready once for a whole list. */
export interface Patterns {
  readonly id: (text: string) => boolean;
  readonly name: (text: string) => boolean;
}

export function compilePatterns(filters: Filters): Patterns {
  const name = patternOf(filters['name']);
  // Docker's own form of a name has a slash in front; people leave it out.
  return { id: patternOf(filters['id']), name: (text) => name(text) || name(`/${text}`) };
}

/** `80`, `80/udp`, `8000-8010`. */
function portMatcher(text: string, filter: string): (port: number, protocol: string) => boolean {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(text);
  if (match === null) {
    const port = text.split('/', 1)[0] ?? '';
    throw invalid(
      `error while looking up for ${filter} ${text}: strconv.ParseUint: parsing ${JSON.stringify(port)}: invalid syntax`,
    );
  }
  const from = Number(match[1]);
  const to = Number(match[2] ?? from);
  const protocol = match[3] ?? 'tcp';
  return (port, of) => of === protocol && port >= from && port <= to;
}

function exposedPorts(record: ContainerRecord): readonly (readonly [number, string])[] {
  return Object.keys(record.config.ExposedPorts ?? {}).map((key) => {
    const [port = '', protocol = 'tcp'] = key.split('/');
    return [Number(port), protocol] as const;
  });
}

const any = (values: readonly string[] | undefined, test: (value: string) => boolean): boolean =>
  values === undefined || values.length === 0 || values.some(test);

export interface FilterFacts {
  readonly patterns: Patterns;
  readonly health: string;
  /** Whether the container's image is, or descends from, the image that a reference names. */
  readonly isFrom: (reference: string) => boolean;
  readonly resolve: (ref: string) => ContainerRecord;
}

/** Whether a container passes all filters of `ps`. */
export function matches(record: ContainerRecord, filters: Filters, facts: FilterFacts): boolean {
  const { state } = record;
  const created = parseNano(record.createdAt) ?? 0n;
  const createdOf = (ref: string): bigint => parseNano(facts.resolve(ref).createdAt) ?? 0n;
  const status = state.status === 'starting' ? 'created' : state.status;
  return (
    facts.patterns.id(record.id) &&
    facts.patterns.name(record.name) &&
    any(filters['status'], (wanted) => wanted === status) &&
    any(
      filters['exited'],
      (code) => state.exitCode === Number(code) && (status === 'exited' || status === 'dead'),
    ) &&
    any(filters['health'], (wanted) => wanted === facts.health) &&
    any(filters['ancestor'], facts.isFrom) &&
    any(filters['is-task'], (wanted) => !['1', 't', 'true'].includes(wanted.toLowerCase())) &&
    matchesLabels(record.config.Labels ?? {}, filters['label'] ?? []) &&
    any(filters['network'], (wanted) =>
      Object.values(record.endpoints).some(
        (endpoint) => endpoint.networkName === wanted || endpoint.networkId.startsWith(wanted),
      ),
    ) &&
    any(filters['volume'], (wanted) =>
      record.mounts.some(
        (mount) => mount.name === wanted || mount.destination === wanted || mount.source === wanted,
      ),
    ) &&
    any(filters['publish'], (text) => {
      const test = portMatcher(text, 'publish');
      return record.ports.some((port) => test(port.hostPort, port.protocol));
    }) &&
    any(filters['expose'], (text) => {
      const test = portMatcher(text, 'expose');
      return exposedPorts(record).some(([port, protocol]) => test(port, protocol));
    }) &&
    (filters['before'] ?? []).every((ref) => created < createdOf(ref)) &&
    (filters['since'] ?? []).every((ref) => created > createdOf(ref))
  );
}
