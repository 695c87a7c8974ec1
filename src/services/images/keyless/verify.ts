/**
 * Signatures without a key of one's own, as cosign makes them: the key lives for minutes, its certificate names who held it,
 * and a log's signed entry or a timestamp authority says when. All that is needed comes with the signature; nothing is asked of anybody.
 */

import { verify, type KeyObject, type X509Certificate } from 'node:crypto';
import { invalid } from '../../../core/errors.ts';
import { matchesPattern } from '../glob.ts';
import { checkChain, identityOf } from './certificate.ts';
import type { Entered } from './entry.ts';
import { timestampedAt } from './timestamp.ts';
import { checkLogged, checkTimestamp, type LogEntry } from './transparency.ts';

export interface KeylessRule {
  /** Authorities whose certificates count. */
  readonly roots: readonly X509Certificate[];
  /** Pattern of who must have signed: `*` does not cross a slash, `/**` at the end stands for all below. */
  readonly subject: string;
  /** Who must have vouched for that, exactly. */
  readonly issuer: string;
  /** Of the log of signatures; undefined: not asked for. */
  readonly rekor: KeyObject | undefined;
  /** Authorities of which one must have given a timestamp; undefined: not asked for. */
  readonly timestamps: readonly X509Certificate[] | undefined;
  /** Of the log of certificates; undefined: not asked for. */
  readonly certificateLog: KeyObject | undefined;
}

export interface KeylessSignature extends Entered {
  /** What came with it, from the certificate's issuer on. */
  readonly chain: readonly X509Certificate[];
  readonly entries: readonly LogEntry[];
  /** Answers of timestamp authorities, DER. */
  readonly timestamps: readonly Buffer[];
}

/** Whether it is the key's signature. ECDSA on P-384 comes with either hash. */
export function isSignedBy(key: KeyObject, message: Buffer, signature: Buffer): boolean {
  const kind = key.asymmetricKeyType;
  const isLong = key.asymmetricKeyDetails?.namedCurve === 'secp384r1';
  const hashes = kind === 'ed25519' ? [null] : isLong ? ['sha384', 'sha256'] : ['sha256'];
  return hashes.some((hash) => {
    try {
      return verify(hash, message, key, signature);
    } catch {
      return false;
    }
  });
}

/** The first that check does not refuse; its refusal of the first otherwise. */
function anyOf<T, R>(all: readonly T[], none: string, check: (each: T) => R): R {
  let first: unknown;
  for (const each of all) {
    try {
      return check(each);
    } catch (error) {
      first ??= error;
    }
  }
  throw first ?? invalid(none);
}

/** All times that count, each as somebody trusted says. */
function timesOf(rule: KeylessRule, signed: KeylessSignature): Date[] {
  const { rekor, timestamps } = rule;
  const logged =
    rekor === undefined
      ? undefined
      : anyOf(signed.entries, 'one was entered in no log', (entry) => checkLogged(entry, rekor, signed));
  const stamped =
    timestamps === undefined
      ? undefined
      : anyOf(signed.timestamps, 'one has no timestamp', (each) =>
          timestampedAt(each, signed.signature, timestamps),
        );
  return [logged, stamped].filter((each) => each !== undefined);
}

/** Who signed. `invalid` with a sentence that says what is wrong. */
export function checkKeyless(rule: KeylessRule, signed: KeylessSignature): string {
  const { certificate, message, signature } = signed;
  if (!isSignedBy(certificate.publicKey, message, signature))
    throw invalid('one is not by the key of its certificate');
  const times = timesOf(rule, signed);
  if (times.length === 0) throw invalid('nobody trusted says when one was signed');
  for (const at of times) {
    const issuedBy = checkChain(certificate, rule.roots, signed.chain, at);
    if (rule.certificateLog !== undefined) checkTimestamp(certificate, issuedBy, rule.certificateLog);
  }
  const { subjects, issuer } = identityOf(certificate);
  if (issuer !== rule.issuer)
    throw invalid(`of one by ${subjects.join(', ')} the issuer is ${JSON.stringify(issuer ?? '')}`);
  const subject = subjects.find((name) => matchesPattern(rule.subject, name));
  if (subject === undefined) throw invalid(`one is by ${subjects.join(', ') || 'nobody'}`);
  return subject;
}
