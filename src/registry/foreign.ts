/** Layers that a registry does not hold itself: their descriptors name addresses where they are. */

import type { Ctx } from '../core/ctx.ts';
import { toSlipwayError, unavailable, type SlipwayError } from '../core/errors.ts';
import type { Descriptor } from '../core/model/image.ts';
import type { Answer } from './answer.ts';
import { isInsecure } from './endpoints.ts';
import type { Transport } from './http.ts';

const maxRedirects = 5;

/** https, or http where nobody else can listen: the addresses come from whoever wrote the manifest. */
function isAllowed(url: URL, insecure: readonly string[]): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isInsecure(url.host, insecure));
}

/** Without any credentials. */
async function follow<A extends Answer>(
  http: Transport<A>,
  ctx: Ctx,
  address: URL,
  headers: Readonly<Record<string, string>>,
  insecure: readonly string[],
): Promise<A> {
  let url = address;
  for (let hop = 0; hop <= maxRedirects; hop++) {
    if (!isAllowed(url, insecure)) throw unavailable(`${url.origin} is not an https address`);
    const tls = { verify: !isInsecure(url.host, insecure) };
    const message = await http.send(ctx, { method: 'GET', url, headers, tls });
    const { location } = message.headers;
    const isRedirect = [301, 302, 303, 307, 308].includes(message.statusCode);
    if (!isRedirect || location === undefined) return message;
    message.resume();
    url = new URL(location, url);
  }
  throw unavailable(`${address.origin} redirects too often`);
}

/** The first of the descriptor's addresses that has it. */
export async function fetchForeign<A extends Answer>(
  http: Transport<A>,
  ctx: Ctx,
  descriptor: Descriptor,
  headers: Readonly<Record<string, string>>,
  insecure: readonly string[],
): Promise<A> {
  let last: SlipwayError | undefined;
  for (const text of (descriptor.urls ?? []).slice(0, 8)) {
    if (!URL.canParse(text)) continue;
    try {
      const message = await follow(http, ctx, new URL(text), headers, insecure);
      if (message.statusCode === 200 || message.statusCode === 206) return message;
      message.resume();
      last = unavailable(`${new URL(text).origin} answered ${message.statusCode}`);
    } catch (error) {
      if (ctx.signal.aborted) throw error;
      last = toSlipwayError(error);
    }
  }
  throw unavailable(
    `layer ${descriptor.digest} is at none of its addresses: ${last?.message ?? 'none is an address'}`,
    last,
  );
}
