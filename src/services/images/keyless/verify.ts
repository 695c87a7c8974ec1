/**
 * Signatures without a key of one's own, as cosign makes them: the key lives for minutes, its certificate names who held it,
 * and a log's signed entry says when. All that is needed comes with the signature; nothing is asked of anybody.
 */

import { verify, type KeyObject, type X509Certificate } from 'node:crypto';
import { invalid } from '../../../core/errors.ts';
import { matchesPattern } from '../glob.ts';
import { checkChain, identityOf, parseCertificates } from './certificate.ts';
import { checkBundle, checkTimestamp } from './transparency.ts';

export interface KeylessRule {
  /** Authorities whose certificates count. */
  readonly roots: readonly X509Certificate[];
  /** Pattern of who must have signed: `*` does not cross a slash, `/**` at the end stands for all below. */
  readonly subject: string;
  /** Who must have vouched for that, exactly. */
  readonly issuer: string;
  /** Of the log of signatures. */
  readonly rekor: KeyObject;
  /** Of the log of certificates; undefined: not asked for. */
  readonly certificateLog: KeyObject | undefined;
}

export interface KeylessSignature {
  readonly payload: Buffer;
  readonly bytes: Buffer;
  /** PEM; what came with the signature. Undefined where it lacks. */
  readonly certificate: string | undefined;
  readonly chain: string | undefined;
  readonly bundle: string | undefined;
}

/** Who signed. `invalid` with a sentence that says what is wrong. */
export function checkKeyless(rule: KeylessRule, signature: KeylessSignature): string {
  const { payload, bytes } = signature;
  if (signature.certificate === undefined) throw invalid('one has no certificate');
  if (signature.bundle === undefined) throw invalid('one was entered in no log');
  const [certificate, ...more] = parseCertificates(signature.certificate, 'the certificate of one');
  if (certificate === undefined || more.length > 0) throw invalid('one has several certificates');
  const chain = signature.chain === undefined ? [] : parseCertificates(signature.chain, 'the chain of one');
  const key = certificate.publicKey;
  if (!verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, key, bytes))
    throw invalid('one is not by the key of its certificate');
  const at = checkBundle(signature.bundle, rule.rekor, { payload, signature: bytes, certificate });
  const issuedBy = checkChain(certificate, rule.roots, chain, at);
  if (rule.certificateLog !== undefined) checkTimestamp(certificate, issuedBy, rule.certificateLog);
  const { subjects, issuer } = identityOf(certificate);
  if (issuer !== rule.issuer)
    throw invalid(`of one by ${subjects.join(', ')} the issuer is ${JSON.stringify(issuer ?? '')}`);
  const subject = subjects.find((name) => matchesPattern(rule.subject, name));
  if (subject === undefined) throw invalid(`one is by ${subjects.join(', ') || 'nobody'}`);
  return subject;
}
