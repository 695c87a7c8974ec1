/** What may differ from dockerd, and why. Reasons are explained in `docs/api-deviations.md`; everything else is a bug. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DockerdVersion } from '../../peers/dockerd.ts';
import type { Difference } from './run.ts';

/** Accepted differences of one request, line by line. */
interface Accepted {
  readonly reason: string;
  readonly lines: readonly string[];
}

type AcceptedFile = Readonly<Record<DockerdVersion, Readonly<Record<string, Accepted>>>>;

export const accepted = JSON.parse(
  readFileSync(join(import.meta.dirname, 'accepted.json'), 'utf8'),
) as AcceptedFile;

interface General {
  readonly reason: string;
  readonly line: RegExp;
  readonly version?: DockerdVersion;
  /** Of requests with such a name only. */
  readonly request?: RegExp;
}

/** Rules that hold for every request. */
const general: readonly General[] = [
  { reason: 'client-mistake', line: /^status 500 \| 4\d\d$/ },
  { reason: 'later-words', line: /^[-+] (message|text): /, version: '20.10' },
  { reason: 'more-words', line: /must be lowercase/ },
];

/** In older versions of the API, each with what dockerd 26.1 answers in them. */
const older: readonly General[] = [
  { reason: 'later-fields', line: /^- (\S*\.)?DNSNames(\[\])?: / },
  {
    reason: 'earlier-fields',
    line: /^(\+ HostConfig\.KernelMemory(TCP)?|\+ BuilderSize|\+ Container|- ContainerConfig\.Labels): /,
  },
  {
    // dockerd filters before it looks who uses a network: it lists all of them as dangling.
    reason: 'dangling-in-use',
    request: /"dangling"/,
    line: /^- \[\]\.Containers\.\*\.\w+: string$/,
  },
  {
    reason: 'earlier-fields',
    line: /^(- type: application\/vnd\.docker\.raw-stream|\+ type: application\/octet-stream)$/,
  },
];

/** Where dockerd refuses later or otherwise, what is said here is pinned by tests of its own, not by this list. */
const freeWords = new Set(['early', 'network-words', 'image-words']);

/** Every reason that is given for anything. */
export const reasons: ReadonlySet<string> = new Set([
  ...[...general, ...older].map(({ reason }) => reason),
  ...Object.values(accepted).flatMap((requests) => Object.values(requests).map(({ reason }) => reason)),
]);

/** dockerd makes a container of nonsense, this engine refuses (`early`). */
function isRefusedEarly(name: string, lines: readonly string[]): boolean {
  return name.startsWith('POST /containers/create ') && lines.includes('status 201 | 400');
}

/** What of the differences nothing accepts. */
export function unaccepted(version: DockerdVersion, found: readonly Difference[]): readonly Difference[] {
  return found.flatMap(({ name, lines }) => {
    const entry = accepted[version][name];
    // Facts of another engine and another configuration; their types are held against the schema.
    if (entry?.reason === 'engine-facts' || isRefusedEarly(name, lines)) return [];
    const own = new Set(entry?.lines);
    const free = freeWords.has(entry?.reason ?? '');
    const left = lines.filter(
      (line) =>
        !own.has(line) &&
        !(free && line.startsWith('+ message: ')) &&
        !general.some((rule) => (rule.version ?? version) === version && rule.line.test(line)),
    );
    return left.length === 0 ? [] : [{ name, lines: left }];
  });
}

/** The same in older versions of the API, of which dockerd 26.1 is the reference. */
export function unacceptedInOlder(found: readonly Difference[]): readonly Difference[] {
  return unaccepted('26.1', found).flatMap(({ name, lines }) => {
    const left = lines.filter(
      (line) => !older.some((rule) => rule.line.test(line) && (rule.request?.test(name) ?? true)),
    );
    return left.length === 0 ? [] : [{ name, lines: left }];
  });
}
