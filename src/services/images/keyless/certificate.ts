/** Certificates of identities (Fulcio's profile): who they are for, who vouched for that, and the chain that they stand on. */

import { X509Certificate } from 'node:crypto';
import { invalid } from '../../../core/errors.ts';
import { encodeDer, oidHex, readDer, readOneDer, type DerValue } from './der.ts';

const oids = {
  altNames: oidHex('2.5.29.17'),
  issuer: oidHex('1.3.6.1.4.1.57264.1.8'),
  oldIssuer: oidHex('1.3.6.1.4.1.57264.1.1'),
  otherName: oidHex('1.3.6.1.4.1.57264.1.7'),
  timestamps: oidHex('1.3.6.1.4.1.11129.2.4.2'),
} as const;

/** What a certificate may be for, and how it is spoken of. */
export const uses = {
  signing: { id: '1.3.6.1.5.5.7.3.3', whose: 'its certificate', what: 'signing', at: 'when it was signed' },
  timestamps: {
    id: '1.3.6.1.5.5.7.3.8',
    whose: 'the timestamp’s certificate',
    what: 'timestamps',
    at: 'at the time that it gives',
  },
} as const;
const maxDepth = 4;

export interface Identity {
  /** Mail addresses, URIs and other names that the certificate is for. */
  readonly subjects: readonly string[];
  /** Who vouched for them: the address of an OpenID provider. Undefined when it does not say. */
  readonly issuer: string | undefined;
}

/** `invalid` unless the text is PEM certificates and nothing else; at most eight. */
export function parseCertificates(pem: string, what: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0 || blocks.length > 8) throw invalid(`${what} holds no certificates`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    throw invalid(`${what}: malformed certificate`, error);
  }
}

/** Version, serial number, ... and the extensions, each as it stands. */
function partsOf(certificate: X509Certificate): { fields: DerValue[]; extensions: readonly DerValue[] } {
  const [tbs] = readDer(readOneDer(certificate.raw, 0x30).content);
  const fields = [...readDer(tbs?.content ?? Buffer.alloc(0))];
  const last = fields.at(-1);
  if (last?.tag !== 0xa3) return { fields, extensions: [] };
  return { fields: fields.slice(0, -1), extensions: readDer(readOneDer(last.content, 0x30).content) };
}

const idOf = (extension: DerValue): string => readDer(extension.content)[0]?.content.toString('hex') ?? '';

/** The content of an extension; undefined when there is none. One that is there twice is an attempt to deceive. */
export function extensionOf(certificate: X509Certificate, id: string): Buffer | undefined {
  const found = partsOf(certificate).extensions.filter((each) => idOf(each) === id);
  if (found.length > 1) throw invalid('a certificate has an extension twice');
  const value = found[0] === undefined ? undefined : readDer(found[0].content).at(-1);
  if (value !== undefined && value.tag !== 0x04) throw invalid('malformed extension of a certificate');
  return value?.content;
}

export const timestampsOf = (certificate: X509Certificate): Buffer | undefined =>
  extensionOf(certificate, oids.timestamps);

/** What a log signs before the certificate exists: its body without the log's own answer. */
export function withoutTimestamps(certificate: X509Certificate): Buffer {
  const { fields, extensions } = partsOf(certificate);
  const kept = extensions.filter((each) => idOf(each) !== oids.timestamps).map(({ raw }) => raw);
  const wrapped = kept.length === 0 ? [] : [encodeDer(0xa3, encodeDer(0x30, ...kept))];
  return encodeDer(0x30, ...fields.map(({ raw }) => raw), ...wrapped);
}

function subjectOf({ tag, content }: DerValue): string | undefined {
  // A mail address, a URI, or Fulcio's own kind of name.
  if (tag === 0x81 || tag === 0x86) return content.toString('utf8');
  if (tag !== 0xa0) return undefined;
  const [id, value] = readDer(content);
  if (id?.content.toString('hex') !== oids.otherName || value === undefined) return undefined;
  return readOneDer(value.content, 0x0c).content.toString('utf8');
}

export function identityOf(certificate: X509Certificate): Identity {
  const names = extensionOf(certificate, oids.altNames);
  const list = names === undefined ? [] : readDer(readOneDer(names, 0x30).content);
  const issuer = extensionOf(certificate, oids.issuer);
  return {
    subjects: list.flatMap((name) => subjectOf(name) ?? []),
    issuer:
      issuer === undefined
        ? extensionOf(certificate, oids.oldIssuer)?.toString('utf8')
        : readOneDer(issuer, 0x0c).content.toString('utf8'),
  };
}

const isValidAt = ({ validFromDate, validToDate }: X509Certificate, at: Date): boolean =>
  validFromDate <= at && at <= validToDate;

const isIssuer = (issuer: X509Certificate, certificate: X509Certificate, at: Date): boolean =>
  issuer.ca &&
  isValidAt(issuer, at) &&
  certificate.checkIssued(issuer) &&
  certificate.verify(issuer.publicKey);

/** The certificate that issued this one, when that leads to one of the trusted ones; undefined otherwise. */
function trustedIssuer(
  certificate: X509Certificate,
  trusted: readonly X509Certificate[],
  others: readonly X509Certificate[],
  at: Date,
  depth = 0,
): X509Certificate | undefined {
  const direct = trusted.find((each) => isIssuer(each, certificate, at));
  if (direct !== undefined || depth >= maxDepth) return direct;
  return others.find(
    (each) =>
      isIssuer(each, certificate, at) && trustedIssuer(each, trusted, others, at, depth + 1) !== undefined,
  );
}

/** The issuer of a certificate that is for that use, stood on a trusted one at that time. `invalid` with a sentence otherwise. */
export function checkChain(
  certificate: X509Certificate,
  roots: readonly X509Certificate[],
  chain: readonly X509Certificate[],
  at: Date,
  use: (typeof uses)[keyof typeof uses] = uses.signing,
): X509Certificate {
  const { whose, what, id } = use;
  if (!isValidAt(certificate, at)) throw invalid(`${whose} was not valid ${use.at}`);
  if (certificate.ca) throw invalid(`${whose} is an authority’s`);
  if (!(certificate.keyUsage ?? []).includes(id)) throw invalid(`${whose} is not for ${what}`);
  const issuer = trustedIssuer(certificate, roots, chain, at);
  if (issuer === undefined) throw invalid(`${whose} is by no trusted authority`);
  return issuer;
}
