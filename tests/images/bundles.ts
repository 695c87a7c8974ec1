/** Sigstore bundles, entries of a log with proofs of inclusion, and answers of a timestamp authority (OpenSSL's), made to order. */

import { execFileSync } from 'node:child_process';
import { createHash, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyId, type KeyPair } from './fulcio.ts';

export const bundleType = 'application/vnd.dev.sigstore.bundle.v0.3+json';

export type Json = Record<string, unknown>;
const sha256 = (data: Buffer): Buffer => createHash('sha256').update(data).digest();
const der = (pem: string): string => new X509Certificate(pem).raw.toString('base64');

export const pae = (type: string, payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);

/** What an entry is about. */
export interface About {
  readonly message: Buffer;
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly pem: string;
}

/** Bodies of entries in the forms of both versions of Rekor. */
export const bodies = {
  'hashedrekord 0.0.1': ({ message, signature, pem }: About): Json => ({
    data: { hash: { algorithm: 'sha256', value: sha256(message).toString('hex') } },
    signature: {
      content: signature.toString('base64'),
      publicKey: { content: Buffer.from(pem).toString('base64') },
    },
  }),
  'hashedrekord 0.0.2': ({ message, signature, pem }: About): Json => ({
    hashedRekordV002: {
      data: { algorithm: 'SHA2_256', digest: sha256(message).toString('base64') },
      signature: {
        content: signature.toString('base64'),
        verifier: { keyDetails: 'PKIX_ECDSA_P256_SHA_256', x509Certificate: { rawBytes: der(pem) } },
      },
    },
  }),
  'dsse 0.0.1': ({ payload, signature, pem }: About): Json => ({
    envelopeHash: { algorithm: 'sha256', value: '00' },
    payloadHash: { algorithm: 'sha256', value: sha256(payload).toString('hex') },
    signatures: [{ signature: signature.toString('base64'), verifier: Buffer.from(pem).toString('base64') }],
  }),
  'dsse 0.0.2': ({ payload, signature, pem }: About): Json => ({
    dsseV002: {
      payloadHash: { algorithm: 'SHA2_256', digest: sha256(payload).toString('base64') },
      signatures: [
        { content: signature.toString('base64'), verifier: { x509Certificate: { rawBytes: der(pem) } } },
      ],
    },
  }),
} as const;
export type BodyKind = keyof typeof bodies;

const node = (left: Buffer, right: Buffer): Buffer => sha256(Buffer.concat([Buffer.of(1), left, right]));
const leafOf = (data: Buffer): Buffer => sha256(Buffer.concat([Buffer.of(0), data]));

/** The root of a tree of leaves, and the path to one of them, by the definition of RFC 9162. */
function treeOf(leaves: readonly Buffer[], index: number): { root: Buffer; path: Buffer[] } {
  if (leaves.length === 1) return { root: leaves[0] ?? Buffer.alloc(0), path: [] };
  let half = 1;
  while (half * 2 < leaves.length) half *= 2;
  const isLeft = index < half;
  const left = treeOf(leaves.slice(0, half), isLeft ? index : 0);
  const right = treeOf(leaves.slice(half), isLeft ? 0 : index - half);
  const path = isLeft ? [...left.path, right.root] : [...right.path, left.root];
  return { root: node(left.root, right.root), path };
}

export interface LogOptions {
  readonly kind: BodyKind;
  readonly at: Date;
  /** Default: true. */
  readonly promise?: boolean;
  /** Of a tree of so many leaves, the entry at that place; undefined: no proof. */
  readonly proof?: { readonly size: number; readonly index: number };
}

/** Of a log, the entry as a bundle has it. */
export function entryOf(log: KeyPair, about: About, options: LogOptions): Json {
  const [kind = '', version = ''] = options.kind.split(' ');
  const body = Buffer.from(JSON.stringify({ apiVersion: version, kind, spec: bodies[options.kind](about) }));
  const how = log.privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const signed = {
    body: body.toString('base64'),
    integratedTime: Math.floor(options.at.getTime() / 1000),
    logID: keyId(log.publicKey).toString('hex'),
    logIndex: 1007,
  };
  const promise = sign(how, Buffer.from(JSON.stringify(signed)), log.privateKey);
  const entry: Json = {
    logIndex: '1007',
    logId: { keyId: keyId(log.publicKey).toString('base64') },
    kindVersion: { kind, version },
    integratedTime: String(signed.integratedTime),
    canonicalizedBody: signed.body,
  };
  if (options.promise !== false)
    entry['inclusionPromise'] = { signedEntryTimestamp: promise.toString('base64') };
  if (options.proof === undefined) return entry;
  const { size, index } = options.proof;
  const leaves = Array.from({ length: size }, (_none, at) =>
    leafOf(at === index ? body : Buffer.from(`${at}`)),
  );
  const { root, path } = treeOf(leaves, index);
  const text = `log.test - 7\n${size}\n${root.toString('base64')}\n`;
  const signature = Buffer.concat([
    keyId(log.publicKey).subarray(0, 4),
    sign(how, Buffer.from(text), log.privateKey),
  ]);
  const witness = Buffer.concat([Buffer.of(1, 2, 3, 4), Buffer.alloc(64, 7)]).toString('base64');
  entry['inclusionProof'] = {
    logIndex: String(index),
    treeSize: String(size),
    rootHash: root.toString('base64'),
    hashes: path.map((each) => each.toString('base64')),
    checkpoint: {
      envelope: `${text}\n\u2014 witness.test ${witness}\n\u2014 log.test ${signature.toString('base64')}\n`,
    },
  };
  return entry;
}

export interface TimestampAuthority {
  /** PEM of the root. */
  readonly root: string;
  /** The answer for a signature, DER. */
  readonly stamp: (signature: Buffer) => Buffer;
}

/** An authority in a folder that exists. `embed`: whether answers bring the certificate. */
export function makeTimestampAuthority(
  folder: string,
  { embed = true }: { readonly embed?: boolean } = {},
): TimestampAuthority {
  const run = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const request = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-nodes', '-days', '2'];
  run('req', '-x509', ...request, '-keyout', 'root.key', '-out', 'root.pem', '-subj', '/CN=tsa root');
  run('req', ...request.slice(0, 5), '-keyout', 'tsa.key', '-out', 'tsa.csr', '-subj', '/CN=tsa');
  writeFileSync(join(folder, 'ext'), 'basicConstraints=CA:FALSE\nextendedKeyUsage=critical,timeStamping\n');
  const signing = [
    '-CA',
    'root.pem',
    '-CAkey',
    'root.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    'ext',
  ];
  run('x509', '-req', '-in', 'tsa.csr', ...signing, '-out', 'tsa.pem');
  const settings = [
    '[tsa]',
    'serial = serial',
    'signer_digest = sha384',
    'default_policy = 1.2.3.4.1',
    'digests = sha256, sha384, sha512',
    'accuracy = secs:1',
    'ess_cert_id_alg = sha256',
  ];
  writeFileSync(join(folder, 'ts.conf'), `${settings.join('\n')}\n`);
  writeFileSync(join(folder, 'serial'), '01\n');
  const stamp = (signature: Buffer): Buffer => {
    writeFileSync(join(folder, 'signature'), signature);
    run('ts', '-query', '-data', 'signature', '-sha256', ...(embed ? ['-cert'] : []), '-out', 'query');
    const by = ['-config', 'ts.conf', '-section', 'tsa', '-inkey', 'tsa.key', '-signer', 'tsa.pem'];
    run('ts', '-reply', '-queryfile', 'query', ...by, '-out', 'answer');
    return readFileSync(join(folder, 'answer'));
  };
  const leaf = embed ? '' : readFileSync(join(folder, 'tsa.pem'), 'utf8');
  return { root: readFileSync(join(folder, 'root.pem'), 'utf8') + leaf, stamp };
}

export interface BundleOptions {
  readonly certificate?: string;
  readonly chain?: readonly string[];
  readonly entries?: readonly Json[];
  readonly timestamps?: readonly Buffer[];
}

/** `content`: an envelope's or a message's part. */
export function bundleOf(content: Json, { certificate, chain, entries, timestamps }: BundleOptions): Json {
  const raw = (pem: string): Json => ({ rawBytes: der(pem) });
  return {
    mediaType: bundleType,
    verificationMaterial: {
      ...(certificate === undefined
        ? { publicKey: { hint: 'x' } }
        : chain === undefined
          ? { certificate: raw(certificate) }
          : { x509CertificateChain: { certificates: [certificate, ...chain].map(raw) } }),
      tlogEntries: entries ?? [],
      ...(timestamps !== undefined && {
        timestampVerificationData: {
          rfc3161Timestamps: timestamps.map((each) => ({ signedTimestamp: each.toString('base64') })),
        },
      }),
    },
    ...content,
  };
}

export const statementType = 'application/vnd.in-toto+json';

export function statementOf(digest: string, more: Json = {}): Buffer {
  return Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ digest: { sha256: digest.slice(7) }, annotations: {} }],
      predicateType: 'https://sigstore.dev/cosign/sign/v1',
      predicate: {},
      ...more,
    }),
  );
}

export const signedBy = (key: KeyObject, message: Buffer): Buffer =>
  sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', message, key);
