/** `docker search`: the index API (`/v1/search`) of Docker Hub, or of a registry that has one. */

import type { Ctx } from '../core/ctx.ts';
import { SlipwayError, invalid, unavailable } from '../core/errors.ts';
import type { RegistryCredentials, SearchResult } from '../core/ports/registry.ts';
import { defaultDomain } from '../core/reference.ts';
import { isInsecure, type Endpoint } from './endpoints.ts';
import type { Answer } from './answer.ts';
import type { Session } from './session.ts';

const maxAnswer = 8 << 20;

export interface SearchInput {
  readonly domain: string;
  readonly term: string;
  readonly limit: number;
  readonly credentials: RegistryCredentials | undefined;
}

function parseResults(body: Buffer): SearchResult[] {
  let results: unknown;
  try {
    ({ results } = JSON.parse(body.toString('utf8')) as { results?: unknown });
  } catch (error) {
    throw invalid('the index answered nonsense', error);
  }
  return (Array.isArray(results) ? results : []).flatMap((each: unknown) => {
    if (typeof each !== 'object' || each === null) return [];
    const { name, description, star_count: stars, is_official: official } = each as Record<string, unknown>;
    if (typeof name !== 'string') return [];
    return [
      {
        name,
        description: typeof description === 'string' ? description : '',
        stars: typeof stars === 'number' ? stars : 0,
        isOfficial: official === true,
      },
    ];
  });
}

/** Docker Hub's index has a host of its own; elsewhere it is the registry's. */
async function endpointsFor(session: Session<Answer>, index: string, domain: string): Promise<Endpoint[]> {
  const own = (await session.endpoints(domain)).filter((each) => !each.isMirror);
  const base = new URL(index);
  if (domain !== defaultDomain) return own;
  const tls = { verify: !isInsecure(base.host, []) };
  return own.slice(0, 1).map((each) => ({ ...each, base, tls }));
}

export async function search(
  session: Session<Answer>,
  ctx: Ctx,
  index: string,
  { domain, term, limit, credentials }: SearchInput,
): Promise<readonly SearchResult[]> {
  const query = new URLSearchParams({ q: term, n: String(limit) });
  const request = { method: 'GET', path: `/v1/search?${query.toString()}`, scopes: [], credentials } as const;
  let failure: unknown;
  for (const endpoint of await endpointsFor(session, index, domain)) {
    let message: Answer;
    try {
      message = await session.sendTo(ctx, endpoint, request);
    } catch (error) {
      // Plain HTTP comes after https where it is allowed.
      if (!(error instanceof SlipwayError) || error.kind !== 'unavailable' || ctx.signal.aborted) throw error;
      failure = error;
      continue;
    }
    const body = await message.read(maxAnswer);
    if (message.statusCode !== 200) throw unavailable(`Unexpected status code ${message.statusCode}`);
    return parseResults(body);
  }
  throw failure;
}
