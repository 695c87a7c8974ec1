/** A registry's refusals in Docker's words. */

import { SlipwayError, type ErrorKind } from '../core/errors.ts';
import { RegistryBusy, type Repository } from '../core/ports/registry.ts';
import { defaultDomain, familiar, repositoryName } from '../core/reference.ts';
import { retryAfterOf } from './busy.ts';
import type { Answer } from './answer.ts';

const maxErrorBody = 64 << 10;

interface Refusal {
  /** `MANIFEST_UNKNOWN`, `DENIED`, ...; empty when the registry gave none. */
  readonly code: string;
  readonly message: string;
}

function parseRefusal(body: string): Refusal | undefined {
  try {
    const value = JSON.parse(body) as { errors?: unknown; details?: unknown; message?: unknown };
    const first = Array.isArray(value.errors) ? (value.errors[0] as unknown) : undefined;
    const text = (field: unknown): string => (typeof field === 'string' ? field : '');
    if (typeof first === 'object' && first !== null) {
      const { code, message } = first as { code?: unknown; message?: unknown };
      return { code: text(code).toUpperCase(), message: text(message) };
    }
    const words = text(value.details) || text(value.message);
    return words === '' ? undefined : { code: '', message: words };
  } catch {
    return undefined;
  }
}

const byStatus: Readonly<Record<number, Refusal>> = {
  401: { code: 'UNAUTHORIZED', message: 'authentication required' },
  403: { code: 'DENIED', message: 'requested access to the resource is denied' },
  404: { code: '', message: 'not found' },
  429: { code: 'TOOMANYREQUESTS', message: 'too many requests' },
};

/** `manifest unknown: manifest unknown`. */
function words({ code, message }: Refusal): string {
  const name = code.toLowerCase().replaceAll('_', ' ');
  return name === '' ? message : `${name}: ${message === '' ? name : message}`;
}

function kindOf(status: number): ErrorKind {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'notFound';
  return 'invalid';
}

/** What was asked for: decides the words. */
export interface Asked {
  readonly action: 'pull' | 'push';
  readonly repository: Repository;
  /** Tag or digest of a manifest. */
  readonly reference?: string;
}

function shown({ repository, reference }: Asked): string {
  const name = familiar(repositoryName(repository));
  if (reference === undefined) return name;
  return reference.includes(':') ? `${name}@${reference}` : `${name}:${reference}`;
}

/** What a limit means for who ran into it. */
function busy(asked: Asked, status: number, said: string, retryAfterMs: number | undefined): RegistryBusy {
  if (status !== 429) return new RegistryBusy(said, retryAfterMs);
  const { domain } = asked.repository;
  const host = domain === defaultDomain ? 'Docker Hub' : domain;
  const when =
    retryAfterMs === undefined ? 'try again later' : `try again in ${Math.ceil(retryAfterMs / 1000)} s`;
  const login = domain === defaultDomain ? '' : ` ${domain}`;
  return new RegistryBusy(
    `${said} (${host} limits how many requests it serves: ${when}, or log in for a higher limit: slipway login${login})`,
    retryAfterMs,
  );
}

function explain(
  asked: Asked,
  status: number,
  refusal: Refusal,
  retryAfterMs: number | undefined,
): SlipwayError {
  const said = words(refusal);
  const name = familiar(repositoryName(asked.repository));
  if (refusal.code === 'UNAUTHORIZED') return new SlipwayError('forbidden', said);
  const isDenied = refusal.code === 'DENIED' || status === 401 || status === 403;
  if (isDenied && asked.action === 'pull')
    return new SlipwayError(
      'notFound',
      `pull access denied for ${name}, repository does not exist or may require 'docker login': ${said}`,
    );
  if (isDenied) return new SlipwayError('forbidden', said);
  if (refusal.code === 'NAME_UNKNOWN')
    return new SlipwayError('notFound', `repository ${name} not found: ${said}`);
  if (status === 404 && asked.reference !== undefined) {
    const unknown = refusal.code === '' ? 'manifest unknown' : said;
    return new SlipwayError('notFound', `manifest for ${shown(asked)} not found: ${unknown}`);
  }
  // Too many requests may go through later; so may a server that is in trouble.
  if (status === 429 || status >= 500) return busy(asked, status, said, retryAfterMs);
  return new SlipwayError(kindOf(status), said);
}

/** Whether a token was given that does not reach as far: what is said in the body then is less true than this. */
function lacksScope(message: Answer): boolean {
  const header = message.headers['www-authenticate'] ?? '';
  return message.statusCode === 401 && /^bearer\b.*\berror="?insufficient_scope/i.test(header);
}

/** Reads what the registry says and makes the error of it. */
export async function refusalOf(message: Answer, asked: Asked): Promise<SlipwayError> {
  const status = message.statusCode;
  const body = await message.read(maxErrorBody).catch(() => Buffer.alloc(0));
  const told = lacksScope(message) ? byStatus[403] : parseRefusal(body.toString('utf8'));
  const refusal = told ??
    byStatus[status] ?? {
      code: '',
      message: `received unexpected HTTP status: ${status} ${message.statusMessage}`.trim(),
    };
  return explain(asked, status, refusal, retryAfterOf(message));
}
