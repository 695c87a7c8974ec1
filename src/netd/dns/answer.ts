/** What to say to one query: an answer from the zones, or that it is for others to answer. */

import { bytesOf } from '../../core/ip.ts';
import type { ResolverConfig } from '../../core/ports/net-helper.ts';
import {
  encodeName,
  encodeResponse,
  isInternet,
  recordType,
  responseCode,
  type Answer,
  type Query,
} from './wire.ts';
import { addressOfReverseName, type Zones } from './zones.ts';

/** Seconds, as Docker's. */
const ttl = 600;

/** In random order, so that askers which take the first address share the load. */
function shuffled<T>(items: readonly T[]): T[] {
  const out = [...items];
  for (let at = out.length - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1));
    [out[at], out[other]] = [out[other] as T, out[at] as T];
  }
  return out;
}

const addressAnswers = (type: number, addresses: readonly string[]): Answer[] =>
  shuffled(addresses).map((address) => ({ type, ttl, data: bytesOf(address) }));

/** Undefined: not a name of the container's networks; the query is to be forwarded where the container may. */
export function answerLocally(
  zones: Zones,
  config: ResolverConfig,
  query: Query,
  limit: number,
): Buffer | undefined {
  if (query.opcode !== 0) return encodeResponse(query, responseCode.notImplemented, [], limit);
  if (!isInternet(query)) return undefined;
  if (query.type === recordType.PTR) {
    const address = addressOfReverseName(query.name);
    const name = address === undefined ? undefined : zones.reverse(config, address);
    if (name === undefined) return undefined;
    const answer: Answer = { type: recordType.PTR, ttl, data: encodeName(name) };
    return encodeResponse(query, responseCode.noError, [answer], limit);
  }
  const entry = zones.find(config, query.name);
  if (entry === undefined) return undefined;
  // A name that exists without an address of this kind: an empty answer, not a failure, or askers of both kinds give up.
  const addresses =
    query.type === recordType.A ? entry.ipv4 : query.type === recordType.AAAA ? entry.ipv6 : [];
  return encodeResponse(query, responseCode.noError, addressAnswers(query.type, addresses), limit);
}
