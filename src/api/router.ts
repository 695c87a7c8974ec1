/**
 * Finds the operation of a request by the segments of its path, without a regular expression. As in dockerd a name may hold
 * slashes (`/images/library/busybox/json`): what stands between the noun and the operation's own suffix is the name.
 */

import { operations, type AnyOperationId } from './operations.ts';

export interface Match {
  readonly operation: AnyOperationId;
  /** The value of `{id}` or `{name}`; empty when the path has none. */
  readonly name: string;
  /** The last segment of a path with two names (`/containers/{name}/checkpoints/{checkpoint}`), else empty. */
  readonly member: string;
}

export interface Target {
  /** Path without version prefix and query, percent signs resolved. */
  readonly path: string;
  /** `1.41` of `/v1.41/...`. */
  readonly version: string | undefined;
  readonly query: string;
}

export class BadTarget extends Error {}

/** Splits a request target. Fails with `BadTarget` on a bad percent sign. */
export function parseTarget(url: string): Target {
  const mark = url.indexOf('?');
  let path = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? '' : url.slice(mark + 1);
  if (path.includes('%')) {
    try {
      path = decodeURIComponent(path);
    } catch {
      throw new BadTarget('invalid URL escape');
    }
  }
  if (path.startsWith('/v')) {
    const end = path.indexOf('/', 1);
    const version = path.slice(2, end < 0 ? undefined : end);
    if (end > 0 && isVersion(version)) return { path: path.slice(end), version, query };
  }
  return { path, version: undefined, query };
}

function isVersion(text: string): boolean {
  for (const char of text) {
    if (char !== '.' && (char < '0' || char > '9')) return false;
  }
  return text !== '';
}

export class Router {
  /** `GET /containers/json` */
  readonly #literals = new Map<string, AnyOperationId>();
  /** `GET containers attach/ws` by method, noun and suffix. */
  readonly #named = new Map<string, AnyOperationId>();
  /** `DELETE containers checkpoints` by method, noun and what stands between the two names. */
  readonly #members = new Map<string, AnyOperationId>();

  /** Knows the operations for which `served` is true. */
  constructor(served: (operation: AnyOperationId) => boolean) {
    for (const line of operations) {
      const [id, method, path] = line.split(' ') as [AnyOperationId, string, string];
      if (!served(id)) continue;
      const brace = path.indexOf('/{');
      if (brace < 0) this.#literals.set(`${method} ${path}`, id);
      else {
        const suffix = path.slice(path.indexOf('}') + 1).replace('/', '');
        const [between, second] = suffix.split('/{');
        const names = second === undefined ? this.#named : this.#members;
        names.set(`${method} ${path.slice(1, brace)} ${between}`, id);
      }
    }
  }

  match(method: string, path: string): Match | undefined {
    // dockerd serves this list under both.
    const literal = this.#literals.get(`${method} ${path === '/networks/' ? '/networks' : path}`);
    if (literal !== undefined) return { operation: literal, name: '', member: '' };
    // The engine's own nouns lie one level deeper.
    const slash = path.indexOf('/', path.startsWith('/slipway/') ? '/slipway/'.length : 1);
    if (slash < 0) return undefined;
    const noun = path.slice(1, slash);
    const rest = path.slice(slash + 1);
    const last = rest.lastIndexOf('/');
    const beforeLast = last < 0 ? -1 : rest.lastIndexOf('/', last - 1);
    return (
      this.#tryCut(method, noun, rest, beforeLast) ??
      this.#tryMember(method, noun, rest, beforeLast, last) ??
      this.#tryCut(method, noun, rest, last) ??
      this.#tryCut(method, noun, rest, rest.length)
    );
  }

  /** Tries the suffix that begins after the slash at `cut`. */
  #tryCut(method: string, noun: string, rest: string, cut: number): Match | undefined {
    if (cut <= 0) return undefined;
    const operation = this.#named.get(`${method} ${noun} ${rest.slice(cut + 1)}`);
    return operation === undefined ? undefined : { operation, name: rest.slice(0, cut), member: '' };
  }

  #tryMember(method: string, noun: string, rest: string, cut: number, last: number): Match | undefined {
    if (cut <= 0) return undefined;
    const operation = this.#members.get(`${method} ${noun} ${rest.slice(cut + 1, last)}`);
    if (operation === undefined) return undefined;
    return { operation, name: rest.slice(0, cut), member: rest.slice(last + 1) };
  }
}
