/** Image names as people write them, with docker's defaults. */
import { CliError } from './exit.ts';

export interface ParsedName {
  /** As written, without tag and digest. */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
  /** With registry and `library/`. */
  readonly full: string;
}

const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*';
const PATH = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const DOMAIN =
  /^(?:\[[0-9a-fA-F:]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*)(?::\d+)?$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;

const bad = (): never => {
  throw new CliError('invalid reference format');
};

/** Whether the first part of a name is a registry: it has a dot, a port, is localhost or has capitals. */
const isDomain = (part: string): boolean =>
  /[.:]/.test(part) || part === 'localhost' || part !== part.toLowerCase();

/** Reads a name. Throws CliError in docker's words. */
export function parseName(text: string): ParsedName {
  if (/^[a-f0-9]{64}$/.test(text)) {
    throw new CliError(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(':');
  const tagged = colon > 0 && !named.slice(colon).includes('/');
  const repository = tagged ? named.slice(0, colon) : named;
  const tag = tagged ? named.slice(colon + 1) : undefined;
  const slash = repository.indexOf('/');
  const first = slash < 0 ? '' : repository.slice(0, slash);
  const own = slash >= 0 && isDomain(first);
  const path = own ? repository.slice(slash + 1) : repository;
  if (path !== path.toLowerCase()) {
    throw new CliError(
      `invalid reference format: repository name (${own ? path : defaultPath(path)}) must be lowercase`,
    );
  }
  if (!PATH.test(path) || (own && !DOMAIN.test(first))) bad();
  if (tag !== undefined && !TAG.test(tag)) bad();
  if (digest !== undefined && !DIGEST.test(digest)) bad();
  const domain = own && first !== 'index.docker.io' ? first : 'docker.io';
  const full = domain === 'docker.io' ? `docker.io/${defaultPath(path)}` : `${domain}/${path}`;
  return { repository, tag, digest, full };
}

/** The whole normalized reference, with `latest` where neither tag nor digest is there. */
export function fullName(text: string): string {
  const { full, tag, digest } = parseName(text);
  if (digest !== undefined) return `${full}@${digest}`;
  return `${full}:${tag ?? 'latest'}`;
}

const defaultPath = (path: string): string => (path.includes('/') ? path : `library/${path}`);

/** The name as docker shows it: no docker.io, no library/, `latest` when there is no tag. */
export function familiarName(name: ParsedName): string {
  const short = name.full.replace(/^docker\.io\/(library\/)?/, '');
  const tag =
    name.tag === undefined && name.digest === undefined
      ? ':latest'
      : name.tag === undefined
        ? ''
        : `:${name.tag}`;
  return `${short}${tag}${name.digest === undefined ? '' : `@${name.digest}`}`;
}
