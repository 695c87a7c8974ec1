/** Credentials of registries in a request's headers. */

import type { RegistryCredentials } from '../core/ports/registry.ts';
import type { Exchange } from './exchange.ts';

/** `X-Registry-Auth`: base64url of JSON. Anything unreadable means none, as with dockerd. */
export function credentials(exchange: Exchange, name = 'x-registry-auth'): RegistryCredentials | undefined {
  const header = exchange.header(name);
  if (header === undefined || header === '') return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(header, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const fields = parsed as Readonly<Record<string, unknown>>;
  const text = (field: string): string => (typeof fields[field] === 'string' ? fields[field] : '');
  const given = {
    username: text('username'),
    password: text('password'),
    identityToken: text('identitytoken'),
    registryToken: text('registrytoken'),
  };
  const entries = Object.entries(given).filter(([, value]) => value !== '');
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as RegistryCredentials);
}

export function withCredentials(exchange: Exchange): { readonly credentials?: RegistryCredentials } {
  const found = credentials(exchange);
  return found === undefined ? {} : { credentials: found };
}
