/**
 * The trust policy: which images must be signed, and by which keys. A JSON file that the administrator names; it is read at
 * each pull, and a file that cannot be understood refuses every pull, since nobody can tell what it was meant to allow.
 */

import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isAbsolute, join, dirname } from 'node:path';
import { forbidden, invalid, toSlipwayError } from '../../core/errors.ts';
import { familiar } from '../../core/reference.ts';
import { isObject, parseJson, type JsonObject } from './config.ts';
import { globMatch } from './glob.ts';

export interface TrustedKey {
  /** As the policy names it. */
  readonly name: string;
  readonly key: KeyObject;
}

export interface TrustRule {
  /** Pattern of repositories (`registry.test/team/*`): `*` does not cross a slash, `/**` at the end stands for all below. */
  readonly match: string;
  /** Any of them suffices. Empty: nothing has to be signed. */
  readonly keys: readonly TrustedKey[];
  /** Pattern of the name that the signature must be for; undefined: the repository's own. */
  readonly identity: string | undefined;
}

export interface TrustPolicy {
  /** What happens to images that no rule matches. */
  readonly otherwise: 'accept' | 'reject';
  readonly rules: readonly TrustRule[];
}

const text = (value: unknown, what: string): string => {
  if (typeof value !== 'string' || value === '') throw invalid(`${what} must be a text`);
  return value;
};

async function readKey(folder: string, name: string): Promise<TrustedKey> {
  const pem = await readFile(isAbsolute(name) ? name : join(folder, name), 'utf8');
  if (!pem.includes('PUBLIC KEY')) throw invalid(`${name} holds no public key`);
  const key = createPublicKey(pem);
  if (!['ec', 'rsa', 'ed25519'].includes(key.asymmetricKeyType ?? ''))
    throw invalid(`${name}: keys of the kind ${key.asymmetricKeyType ?? '?'} are not supported`);
  return { name, key };
}

async function readRule(folder: string, value: unknown): Promise<TrustRule> {
  if (!isObject(value)) throw invalid('a rule must be an object');
  const unknown = Object.keys(value).find((name) => !['match', 'keys', 'accept', 'identity'].includes(name));
  if (unknown !== undefined) throw invalid(`a rule has no field ${JSON.stringify(unknown)}`);
  const match = text(value['match'], 'match');
  const names = value['keys'];
  if (value['accept'] === true && names === undefined) return { match, keys: [], identity: undefined };
  if (!Array.isArray(names) || names.length === 0)
    throw invalid(`the rule for ${match} needs keys, or "accept": true`);
  const keys = await Promise.all(names.map((name) => readKey(folder, text(name, 'a key'))));
  const identity = value['identity'] === undefined ? undefined : text(value['identity'], 'identity');
  return { match, keys, identity };
}

async function parsePolicy(folder: string, value: JsonObject): Promise<TrustPolicy> {
  const unknown = Object.keys(value).find((name) => !['default', 'rules'].includes(name));
  if (unknown !== undefined) throw invalid(`there is no field ${JSON.stringify(unknown)}`);
  const otherwise = value['default'];
  if (otherwise !== 'accept' && otherwise !== 'reject') throw invalid('default must be "accept" or "reject"');
  const rules = value['rules'] ?? [];
  if (!Array.isArray(rules)) throw invalid('rules must be a list');
  return { otherwise, rules: await Promise.all(rules.map((rule) => readRule(folder, rule))) };
}

/** `forbidden` with the file's name when it is missing or cannot be understood. */
export async function readTrustPolicy(file: string): Promise<TrustPolicy> {
  try {
    const value = parseJson(await readFile(file), 'policy');
    if (!isObject(value)) throw invalid('not an object');
    return await parsePolicy(dirname(file), value);
  } catch (error) {
    throw forbidden(
      `nothing can be pulled, because the trust policy ${file} is not usable: ${toSlipwayError(error).message}`,
      error,
    );
  }
}

/** A pattern against both forms of a name: `docker.io/library/busybox` and `busybox`. */
export function matchesName(pattern: string, name: string): boolean {
  const below = pattern.endsWith('/**') ? pattern.slice(0, -2) : undefined;
  return [name, familiar(name)].some((form) =>
    below === undefined ? globMatch(pattern, form) : form.startsWith(below),
  );
}

/** The first rule that matches decides. Undefined: nothing has to be signed. `forbidden` when the policy rejects the image. */
export function ruleFor(policy: TrustPolicy, repository: string): TrustRule | undefined {
  const rule = policy.rules.find(({ match }) => matchesName(match, repository));
  if (rule === undefined && policy.otherwise === 'reject')
    throw forbidden(`${familiar(repository)} is refused by the trust policy: no rule allows it`);
  return rule === undefined || rule.keys.length === 0 ? undefined : rule;
}
