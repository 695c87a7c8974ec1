/** All tags of a repository, page by page. */

import type { Ctx } from '../core/ctx.ts';
import type { RegistryCredentials, Repository } from '../core/ports/registry.ts';
import { isTag } from '../core/reference.ts';
import type { Answer } from './answer.ts';
import type { Endpoint } from './endpoints.ts';
import { refusalOf } from './errors.ts';
import { maxManifest, parseJson, pullScope } from './manifest.ts';
import type { Session } from './session.ts';

const maxTags = 100_000;
const maxPages = 10_000;

/** The next page, as a path of the same registry: an address elsewhere would take the credentials along. */
function nextPage(link: string | undefined, { base, prefix }: Endpoint, asked: string): string | undefined {
  const target = /<([^>]*)>\s*;[^<]*\brel\s*=\s*"?next\b/i.exec(link ?? '')?.[1];
  const from = new URL(`${prefix}${asked.slice('/v2'.length)}`, base);
  if (target === undefined || !URL.canParse(target, from.href)) return undefined;
  const url = new URL(target, from);
  const isOwn = url.host === base.host && url.pathname.startsWith(`${prefix}/`);
  return isOwn ? `/v2${url.pathname.slice(prefix.length)}${url.search}` : undefined;
}

export async function tags(
  session: Session<Answer>,
  ctx: Ctx,
  repository: Repository,
  credentials: RegistryCredentials | undefined,
): Promise<readonly string[]> {
  const found: string[] = [];
  const seen = new Set<string>();
  let path: string | undefined = `/v2/${repository.path}/tags/list`;
  // Pages may lead back to each other.
  while (path !== undefined && !seen.has(path) && seen.size < maxPages && found.length < maxTags) {
    seen.add(path);
    const request = { method: 'GET', path, scopes: [pullScope(repository)], credentials } as const;
    const { message, endpoint } = await session.send(ctx, repository.domain, request);
    if (message.statusCode !== 200) throw await refusalOf(message, { action: 'pull', repository });
    const value = parseJson(await message.read(maxManifest));
    const list = typeof value === 'object' && value !== null ? (value as { tags?: unknown }).tags : undefined;
    if (Array.isArray(list))
      found.push(...list.filter((tag): tag is string => typeof tag === 'string' && isTag(tag)));
    path = nextPage(message.headers.link?.toString(), endpoint, path);
  }
  return found;
}
