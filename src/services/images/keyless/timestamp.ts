/** Answers of timestamp authorities (RFC 3161, on RFC 5652's signed data): when a signature was there. Checked offline, from the policy's authorities. */

import { createHash, verify, X509Certificate } from 'node:crypto';
import { invalid, toSlipwayError } from '../../../core/errors.ts';
import { checkChain, uses } from './certificate.ts';
import { oidHex, readDer, readOneDer, type DerValue } from './der.ts';

const oids = {
  signedData: oidHex('1.2.840.113549.1.7.2'),
  info: oidHex('1.2.840.113549.1.9.16.1.4'),
  contentType: oidHex('1.2.840.113549.1.9.3'),
  messageDigest: oidHex('1.2.840.113549.1.9.4'),
  signingCertificate: oidHex('1.2.840.113549.1.9.16.2.12'),
  signingCertificateV2: oidHex('1.2.840.113549.1.9.16.2.47'),
} as const;

/** Digest algorithms, and signature algorithms that name one. */
const hashes = new Map(
  Object.entries({
    '2.16.840.1.101.3.4.2.1': 'sha256',
    '2.16.840.1.101.3.4.2.2': 'sha384',
    '2.16.840.1.101.3.4.2.3': 'sha512',
    '1.2.840.10045.4.3.2': 'sha256',
    '1.2.840.10045.4.3.3': 'sha384',
    '1.2.840.10045.4.3.4': 'sha512',
    '1.2.840.113549.1.1.11': 'sha256',
    '1.2.840.113549.1.1.12': 'sha384',
    '1.2.840.113549.1.1.13': 'sha512',
  }).map(([dotted, name]) => [oidHex(dotted), name]),
);

const broken = (): Error => invalid('malformed timestamp');
const hashOf = (name: string, data: Buffer): Buffer => createHash(name).update(data).digest();

function part(values: readonly DerValue[], tag: number): DerValue {
  const found = values.find((each) => each.tag === tag);
  if (found === undefined) throw broken();
  return found;
}

/** The algorithm of an AlgorithmIdentifier. */
function hashNamed(value: DerValue | undefined): string | undefined {
  const [id] = value?.tag === 0x30 ? readDer(value.content) : [];
  return hashes.get(id?.content.toString('hex') ?? '');
}

interface SignerInfo {
  readonly digest: string;
  /** The name of its own hash, where the signature's algorithm has one. */
  readonly hash: string | undefined;
  /** As it is signed. */
  readonly attributes: Buffer;
  readonly values: ReadonlyMap<string, DerValue>;
  readonly signature: Buffer;
}

interface Token {
  readonly info: Buffer;
  readonly certificates: readonly X509Certificate[];
  readonly signer: SignerInfo;
}

/** Attributes by their identifiers; each has one value here. */
function attributesOf(content: Buffer): Map<string, DerValue> {
  const found = new Map<string, DerValue>();
  for (const attribute of readDer(content)) {
    const [id, set] = readDer(attribute.content);
    const [value, ...more] = set?.tag === 0x31 ? readDer(set.content) : [];
    const name = id?.content.toString('hex') ?? '';
    if (value === undefined || more.length > 0 || found.has(name)) throw broken();
    found.set(name, value);
  }
  return found;
}

function signerOf(value: DerValue): SignerInfo {
  const fields = readDer(value.content);
  // Version and whose it is come first, both of any form.
  const rest = fields.slice(2);
  const attributes = part(rest, 0xa0);
  const algorithms = rest.filter(({ tag }) => tag === 0x30);
  const digest = hashNamed(algorithms[0]);
  if (digest === undefined) throw invalid('the timestamp’s digest is of an unknown kind');
  // They are signed as a SET, whatever stands for it in the structure.
  const signed = Buffer.from(attributes.raw);
  signed[0] = 0x31;
  return {
    digest,
    hash: hashNamed(algorithms[1]),
    attributes: signed,
    values: attributesOf(attributes.content),
    signature: part(rest, 0x04).content,
  };
}

function parseToken(answer: Buffer): Token {
  const [status, token] = readDer(readOneDer(answer, 0x30).content);
  const granted = status === undefined ? undefined : readDer(status.content)[0]?.content[0];
  if (granted !== 0 && granted !== 1) throw invalid('the timestamp was refused');
  const [kind, wrapped] = readDer(token?.content ?? Buffer.alloc(0));
  if (kind?.content.toString('hex') !== oids.signedData || wrapped?.tag !== 0xa0) throw broken();
  const fields = readDer(readOneDer(wrapped.content, 0x30).content);
  const [type, octets] = readDer(part(fields, 0x30).content);
  if (type?.content.toString('hex') !== oids.info || octets?.tag !== 0xa0) throw broken();
  const signers = readDer(fields.at(-1)?.content ?? Buffer.alloc(0));
  const [signer] = signers;
  if (signer === undefined || signers.length > 1 || fields.at(-1)?.tag !== 0x31) throw broken();
  const held = fields.find(({ tag }) => tag === 0xa0);
  const certificates = held === undefined ? [] : readDer(held.content).slice(0, 8);
  return {
    info: readOneDer(octets.content, 0x04).content,
    certificates: certificates.map(({ raw }) => new X509Certificate(raw)),
    signer: signerOf(signer),
  };
}

/** Whether the attributes name this certificate as the signer's: by its hash. */
function isNamed(certificate: X509Certificate, values: ReadonlyMap<string, DerValue>): boolean {
  const newer = values.get(oids.signingCertificateV2);
  const attribute = newer ?? values.get(oids.signingCertificate);
  if (attribute === undefined) return false;
  const [ids] = readDer(attribute.content);
  const [first] = readDer(ids?.content ?? Buffer.alloc(0));
  const fields = readDer(first?.content ?? Buffer.alloc(0));
  const algorithm = fields[0]?.tag === 0x30 ? hashNamed(fields[0]) : newer === undefined ? 'sha1' : 'sha256';
  const hash = fields.find(({ tag }) => tag === 0x04)?.content;
  return algorithm !== undefined && hash?.equals(hashOf(algorithm, certificate.raw)) === true;
}

/** `invalid` unless the one of them that the token names signed it; returns that one. */
function checkSigner({ info, signer }: Token, among: readonly X509Certificate[]): X509Certificate {
  const { values, digest, hash, attributes, signature } = signer;
  const isAbout =
    values.get(oids.contentType)?.content.toString('hex') === oids.info &&
    values.get(oids.messageDigest)?.content.equals(hashOf(digest, info)) === true;
  if (!isAbout) throw invalid('the timestamp’s signature is about something else');
  const certificate = among.find((each) => isNamed(each, values));
  if (certificate === undefined) throw invalid('the timestamp comes without its certificate');
  const key = certificate.publicKey;
  const how = key.asymmetricKeyType === 'ed25519' ? null : (hash ?? digest);
  if (!verify(how, attributes, key, signature))
    throw invalid('the timestamp is not signed by its certificate');
  return certificate;
}

function timeOf(value: DerValue): Date {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{1,9}))?Z$/.exec(
    value.content.toString('latin1'),
  );
  if (parts === null) throw broken();
  const [, year, month, day, hour, minute, second, fraction = '0'] = parts;
  const at = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3)}Z`);
  if (Number.isNaN(at.getTime())) throw broken();
  return at;
}

/** When the signature was there, as one of the authorities says. `invalid` with a sentence otherwise. */
export function timestampedAt(
  answer: Buffer,
  signature: Buffer,
  authorities: readonly X509Certificate[],
): Date {
  let token: Token;
  try {
    token = parseToken(answer);
  } catch (error) {
    const { kind, message } = toSlipwayError(error);
    throw kind === 'invalid' && message !== 'malformed DER' ? error : broken();
  }
  const certificate = checkSigner(token, [...token.certificates, ...authorities]);
  const info = readDer(readOneDer(token.info, 0x30).content);
  const [algorithm, imprint] = readDer(info[2]?.content ?? Buffer.alloc(0));
  const hash = hashNamed(algorithm);
  if (hash === undefined || imprint?.content.equals(hashOf(hash, signature)) !== true)
    throw invalid('the timestamp is of another signature');
  const at = timeOf(part(info, 0x18));
  checkChain(certificate, authorities, token.certificates, at, uses.timestamps);
  return at;
}
