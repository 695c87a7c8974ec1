/**
 * Image references as Docker reads them: `[domain/]path[:tag][@digest]`, with `docker.io` and `library/` filled in.
 * All patterns run in linear time: a reference comes from whoever can reach the API.
 */

import { invalid } from './errors.ts';

/** A normalized reference. */
export interface ImageReference {
  /** `docker.io`, `localhost:5000`. */
  readonly domain: string;
  /** `library/busybox`. */
  readonly path: string;
  readonly tag?: string;
  /** `sha256:<64 hex>`. */
  readonly digest?: string;
}

export const defaultDomain = 'docker.io';
export const defaultTag = 'latest';
const official = 'library/';

const separator = '(?:[._]|__|-+)';
const pathPattern = new RegExp(
  `^[a-z0-9]+(?:${separator}[a-z0-9]+)*(?:/[a-z0-9]+(?:${separator}[a-z0-9]+)*)*$`,
);
const label = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const domainPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const maxName = 255;

const badFormat = (): Error => invalid('invalid reference format');

export function isTag(tag: string): boolean {
  return tagPattern.test(tag);
}

/** A whole digest that the engine can verify. */
export function isDigest(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const isDomain =
    slash > 0 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  const domain = !isDomain || first === 'index.docker.io' ? defaultDomain : first;
  const path = isDomain ? name.slice(slash + 1) : name;
  return { domain, path: domain === defaultDomain && !path.includes('/') ? official + path : path };
}

function checkPath(path: string, name: string): void {
  if (path.toLowerCase() !== path && pathPattern.test(path.toLowerCase()))
    throw invalid(
      `invalid reference format: repository name (${path}) must be lowercase: did you mean ${JSON.stringify(name.toLowerCase())}?`,
    );
  if (!pathPattern.test(path)) throw badFormat();
}

/** Reads what a user wrote. `invalid` with Docker's wording. Tag and digest are as written, none is filled in. */
export function parseReference(text: string): ImageReference {
  if (text === '' || text.length > 1024) throw badFormat();
  if (/^[a-f0-9]{64}$/.test(text))
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !digestPattern.test(digest)) throw badFormat();
  if (digest !== undefined && !isDigest(digest)) throw invalid(`invalid checksum digest format: ${digest}`);
  const rest = at < 0 ? text : text.slice(0, at);
  const colon = rest.indexOf(':', rest.lastIndexOf('/') + 1);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (tag !== undefined && !isTag(tag)) throw badFormat();
  const name = colon < 0 ? rest : rest.slice(0, colon);
  const { domain, path } = splitDomain(name);
  if (!domainPattern.test(domain)) throw badFormat();
  checkPath(path, name);
  if (domain.length + 1 + path.length > maxName)
    throw invalid(`repository name must not be more than ${maxName} characters`);
  return { domain, path, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

/** The same with `latest` where neither tag nor digest is there. */
export function withDefaultTag(reference: ImageReference): ImageReference {
  return reference.tag === undefined && reference.digest === undefined
    ? { ...reference, tag: defaultTag }
    : reference;
}

/** `docker.io/library/busybox`. */
export function repositoryName(reference: { readonly domain: string; readonly path: string }): string {
  return `${reference.domain}/${reference.path}`;
}

/** The whole normalized text. */
export function formatReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${repositoryName(reference)}${tag}${digest}`;
}

/** A normalized name or reference as people write it: without `docker.io/` and `library/`. */
export function familiar(normalized: string): string {
  if (!normalized.startsWith(`${defaultDomain}/`)) return normalized;
  const path = normalized.slice(defaultDomain.length + 1);
  const short = path.startsWith(official) ? path.slice(official.length) : path;
  // `library/a/b` must keep its prefix, or it would be read as the repository `a/b`.
  return short.includes('/') && path.startsWith(official) ? path : short;
}
