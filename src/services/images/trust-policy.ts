/**
 * The trust policy: which images must be signed, and by which keys. A JSON file that the administrator names; it is read at
 * each pull, and a file that cannot be understood refuses every pull, since nobody can tell what it was meant to allow.
 */

import { createPublicKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isAbsolute, join, dirname } from 'node:path';
import { forbidden, invalid, toSlipwayError } from '../../core/errors.ts';
import { familiar } from '../../core/reference.ts';
import { isObject, parseJson, type JsonObject } from './config.ts';
import { matchesPattern } from './glob.ts';
import { parseCertificates } from './keyless/certificate.ts';
import type { KeylessRule } from './keyless/verify.ts';

export interface TrustedKey {
  /** As the policy names it. */
  readonly name: string;
  readonly key: KeyObject;
}

export interface TrustRule {
  /** Pattern of repositories (`registry.test/team/*`): `*` does not cross a slash, `/**` at the end stands for all below. */
  readonly match: string;
  /** Any of them suffices, and so does `keyless`. */
  readonly keys: readonly TrustedKey[];
  /** Whose signatures by certificate count; undefined: nobody's. */
  readonly keyless: KeylessRule | undefined;
  /** Nothing has to be signed. */
  readonly isOpen: boolean;
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

async function readCertificates(folder: string, name: unknown, what: string): Promise<X509Certificate[]> {
  const file = text(name, what);
  const pem = await readFile(isAbsolute(file) ? file : join(folder, file), 'utf8');
  return parseCertificates(pem, file);
}

async function readKeyless(folder: string, value: unknown): Promise<KeylessRule> {
  if (!isObject(value)) throw invalid('keyless must be an object');
  const fields = ['roots', 'subject', 'issuer', 'rekor', 'timestamps', 'certificateLog'];
  const unknown = Object.keys(value).find((name) => !fields.includes(name));
  if (unknown !== undefined) throw invalid(`keyless has no field ${JSON.stringify(unknown)}`);
  const { rekor, timestamps, certificateLog } = value;
  const keyOf = async (name: unknown, what: string): Promise<KeyObject | undefined> =>
    name === undefined ? undefined : (await readKey(folder, text(name, what))).key;
  const rule = {
    roots: await readCertificates(folder, value['roots'], 'roots'),
    subject: text(value['subject'], 'subject'),
    issuer: text(value['issuer'], 'issuer'),
    rekor: await keyOf(rekor, 'rekor'),
    timestamps:
      timestamps === undefined ? undefined : await readCertificates(folder, timestamps, 'timestamps'),
    certificateLog: await keyOf(certificateLog, 'certificateLog'),
  };
  if (rekor === undefined && timestamps === undefined)
    throw invalid('keyless needs rekor, timestamps, or both: somebody has to say when it was signed');
  return rule;
}

async function readRule(folder: string, value: unknown): Promise<TrustRule> {
  if (!isObject(value)) throw invalid('a rule must be an object');
  const fields = ['match', 'keys', 'keyless', 'accept', 'identity'];
  const unknown = Object.keys(value).find((name) => !fields.includes(name));
  if (unknown !== undefined) throw invalid(`a rule has no field ${JSON.stringify(unknown)}`);
  const match = text(value['match'], 'match');
  const names = value['keys'] ?? [];
  const isOpen = value['accept'] === true;
  const isSigned = value['keys'] !== undefined || value['keyless'] !== undefined;
  if (!Array.isArray(names) || isOpen === isSigned || (names.length === 0 && value['keys'] !== undefined))
    throw invalid(`the rule for ${match} needs keys, keyless, or "accept": true`);
  const keyless = value['keyless'] === undefined ? undefined : await readKeyless(folder, value['keyless']);
  const keys = await Promise.all(names.map((name) => readKey(folder, text(name, 'a key'))));
  const identity = value['identity'] === undefined ? undefined : text(value['identity'], 'identity');
  return { match, keys, keyless, isOpen, identity };
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
  return [name, familiar(name)].some((form) => matchesPattern(pattern, form));
}

/** The first rule that matches decides. Undefined: nothing has to be signed. `forbidden` when the policy rejects the image. */
export function ruleFor(policy: TrustPolicy, repository: string): TrustRule | undefined {
  const rule = policy.rules.find(({ match }) => matchesName(match, repository));
  if (rule === undefined && policy.otherwise === 'reject')
    throw forbidden(`${familiar(repository)} is refused by the trust policy: no rule allows it`);
  return rule?.isOpen === true ? undefined : rule;
}
