/**
 * Sigstore bundles: one JSON document that holds a signature and all that is needed to check it. What is signed is an envelope (DSSE) with a
 * statement in it, or the bytes of the image's manifest.
 */

import { X509Certificate } from 'node:crypto';
import { invalid } from '../../../core/errors.ts';
import { parseJson, type JsonObject } from '../config.ts';
import { base64, count, list, object, text } from './fields.ts';
import { parseProof } from './inclusion.ts';
import type { LogEntry } from './transparency.ts';

const mediaType = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v0\.\d\+json|\+json;version=0\.\d)$/;
export const isBundle = (type: string | undefined): boolean => mediaType.test(type ?? '');

export interface Envelope {
  readonly type: string;
  readonly payload: Buffer;
}

export interface SigstoreBundle {
  /** Undefined: signed with a key. */
  readonly certificate: X509Certificate | undefined;
  readonly chain: readonly X509Certificate[];
  readonly entries: readonly LogEntry[];
  /** Answers of timestamp authorities, DER. */
  readonly timestamps: readonly Buffer[];
  readonly signature: Buffer;
  /** Undefined: the signature is over the manifest itself. */
  readonly envelope: Envelope | undefined;
  /** What the bundle says that the manifest's SHA-256 is, where it says so. */
  readonly digest: Buffer | undefined;
}

function certificatesOf(material: JsonObject): X509Certificate[] {
  const alone = material['certificate'];
  const chain = material['x509CertificateChain'];
  const raw =
    chain === undefined
      ? alone === undefined
        ? []
        : [alone]
      : list(object(chain, 'x509CertificateChain')['certificates'], 'certificates', 8);
  const bytes = raw.map((each) => base64(object(each, 'certificate')['rawBytes'], 'rawBytes'));
  try {
    return bytes.map((each) => new X509Certificate(each));
  } catch (error) {
    throw invalid('malformed bundle: its certificate is none', error);
  }
}

function entryOf(value: unknown): LogEntry {
  const entry = object(value, 'tlogEntries');
  const promise = entry['inclusionPromise'];
  const body = entry['canonicalizedBody'];
  base64(body, 'canonicalizedBody');
  return {
    body: text(body, 'canonicalizedBody'),
    integratedTime: count(entry['integratedTime'] ?? 0, 'integratedTime'),
    logId: base64(object(entry['logId'], 'logId')['keyId'], 'keyId').toString('hex'),
    logIndex: count(entry['logIndex'] ?? 0, 'logIndex'),
    promise:
      promise === undefined || promise === null
        ? undefined
        : base64(object(promise, 'inclusionPromise')['signedEntryTimestamp'], 'signedEntryTimestamp'),
    proof: parseProof(entry['inclusionProof']),
  };
}

function contentOf(document: JsonObject): Pick<SigstoreBundle, 'signature' | 'envelope' | 'digest'> {
  const [dsse, message] = [document['dsseEnvelope'], document['messageSignature']];
  if ((dsse === undefined) === (message === undefined))
    throw invalid('malformed bundle: it needs one envelope or one signature');
  if (dsse !== undefined) {
    const envelope = object(dsse, 'dsseEnvelope');
    const [signature, ...more] = list(envelope['signatures'], 'signatures', 8);
    if (more.length > 0) throw invalid('malformed bundle: its envelope has several signatures');
    return {
      signature: base64(object(signature, 'signatures')['sig'], 'sig'),
      envelope: {
        type: text(envelope['payloadType'], 'payloadType'),
        payload: base64(envelope['payload'], 'payload'),
      },
      digest: undefined,
    };
  }
  const fields = object(message, 'messageSignature');
  const digest = fields['messageDigest'];
  const said = digest === undefined ? undefined : object(digest, 'messageDigest');
  if (said !== undefined && said['algorithm'] !== 'SHA2_256')
    throw invalid('malformed bundle: its digest is of another kind');
  return {
    signature: base64(fields['signature'], 'signature'),
    envelope: undefined,
    digest: said === undefined ? undefined : base64(said['digest'], 'digest'),
  };
}

/** `invalid` with a sentence for what is no bundle. */
export function parseBundle(bytes: Buffer): SigstoreBundle {
  const document = object(parseJson(bytes, 'bundle'), 'object');
  const type = text(document['mediaType'], 'mediaType');
  if (!isBundle(type)) throw invalid(`it is a bundle of the unknown kind ${JSON.stringify(type)}`);
  const material = object(document['verificationMaterial'], 'verificationMaterial');
  const [certificate, ...chain] = certificatesOf(material);
  const times = material['timestampVerificationData'];
  const answers =
    times === undefined || times === null
      ? []
      : list(object(times, 'timestampVerificationData')['rfc3161Timestamps'], 'rfc3161Timestamps', 8);
  return {
    certificate,
    chain,
    entries: list(material['tlogEntries'], 'tlogEntries', 8).map(entryOf),
    timestamps: answers.map((each) =>
      base64(object(each, 'rfc3161Timestamps')['signedTimestamp'], 'signedTimestamp'),
    ),
    ...contentOf(document),
  };
}

/** The bytes that an envelope's signature covers. */
export function envelopeMessage({ type, payload }: Envelope): Buffer {
  const kind = Buffer.from(type);
  return Buffer.concat([Buffer.from(`DSSEv1 ${kind.length} ${type} ${payload.length} `), payload]);
}

const statementType = 'application/vnd.in-toto+json';
const signaturePredicate = 'https://sigstore.dev/cosign/sign/v1';

/**
 * Why an envelope, whose signature is good, does not sign the image; undefined when it does. Whoever builds images signs more about
 * them than that they may run: only cosign's own statement counts. `isName` is asked where the rule wants a name.
 */
export function envelopeObjection(
  { type, payload }: Envelope,
  digest: string,
  isName: ((name: string) => boolean) | undefined,
): string | undefined {
  if (type !== statementType) return `signs ${JSON.stringify(type)}, which is no image`;
  const statement = object(parseJson(payload, 'statement'), 'statement');
  const predicate = statement['predicateType'];
  if (!/^https:\/\/in-toto\.io\/Statement\/v\d/.test(String(statement['_type'])))
    return 'signs something that is no image';
  if (predicate !== signaturePredicate)
    return `attests ${JSON.stringify(predicate ?? '')}, which is no signature of the image`;
  const subjects = list(statement['subject'], 'subject', 1000).map((each) => object(each, 'subject'));
  const own = subjects.find((each) => object(each['digest'], 'digest')['sha256'] === digest.slice(7));
  if (own === undefined) return 'is for another image';
  if (isName === undefined) return undefined;
  const { name } = own;
  return typeof name === 'string' && isName(name)
    ? undefined
    : `is for the name ${JSON.stringify(name ?? '')}`;
}
