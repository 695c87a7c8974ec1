/** `docker search`: asks the index, filters what it says. */

import type { Ctx } from '../../core/ctx.ts';
import { invalid } from '../../core/errors.ts';
import type { SearchResult } from '../../core/ports/registry.ts';
import { defaultDomain } from '../../core/reference.ts';
import type { Room } from './deps.ts';
import { booleanFilter, checkFilters } from './filters.ts';
import type { SearchInput } from './types.ts';

const defaultLimit = 25;

/** `registry:5000/word` asks that registry; anything else Docker Hub. */
function splitTerm(term: string): { readonly domain: string; readonly word: string } {
  if (term.includes('://'))
    throw invalid(`invalid repository name: repository name (${term}) should not have a scheme`);
  const slash = term.indexOf('/');
  const first = term.slice(0, Math.max(slash, 0));
  const isDomain = slash > 0 && (/[.:]/.test(first) || first === 'localhost');
  if (!isDomain || first === 'docker.io' || first === 'index.docker.io') {
    const word = isDomain ? term.slice(slash + 1) : term;
    // The hub finds official images by their short name only.
    return { domain: defaultDomain, word: word.replace(/^library\//, '') };
  }
  if (!/^[A-Za-z0-9.-]+(:\d+)?$|^\[[0-9A-Fa-f:]+\](:\d+)?$/.test(first))
    throw invalid(`invalid index name (${first})`);
  return { domain: first, word: term.slice(slash + 1) };
}

function starsOf(values: readonly string[] | undefined): number {
  let least = 0;
  for (const value of values ?? []) {
    if (!/^\d{1,9}$/.test(value))
      throw invalid(
        `invalid filter 'stars=${value}': strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`,
      );
    least = Math.max(least, Number(value));
  }
  return least;
}

export async function search(room: Room, ctx: Ctx, input: SearchInput): Promise<readonly SearchResult[]> {
  const { filters, limit = defaultLimit } = input;
  checkFilters(filters, ['is-automated', 'is-official', 'stars']);
  const official = booleanFilter(filters, 'is-official');
  const automated = booleanFilter(filters, 'is-automated');
  const stars = starsOf(filters['stars']);
  if (limit < 1 || limit > 100) throw invalid(`limit ${limit} is outside the range of [1, 100]`);
  const { domain, word } = splitTerm(input.term);
  // No index has automated builds any more.
  if (automated === true) return [];
  const found = await room.registry.search(ctx, {
    domain,
    term: word,
    limit,
    credentials: input.credentials,
  });
  return found.filter(
    (each) => each.stars >= stars && (official === undefined || each.isOfficial === official),
  );
}
