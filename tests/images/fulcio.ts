/** A certificate authority for identities and its logs, as Fulcio and Rekor are: certificates, timestamps and bundles made to order. */

import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { encodeDer, oidHex } from '../../src/services/images/keyless/der.ts';

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}
export const keyPair = (): KeyPair => generateKeyPairSync('ec', { namedCurve: 'P-256' });

const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });
export const keyId = (key: KeyObject): Buffer => createHash('sha256').update(spki(key)).digest();
export const publicPem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }) as string;

const oid = (dotted: string): Buffer => encodeDer(0x06, Buffer.from(oidHex(dotted), 'hex'));
const ecdsa = encodeDer(0x30, oid('1.2.840.10045.4.3.2'));
const extension = (id: string, value: Buffer, critical = false): Buffer =>
  encodeDer(0x30, oid(id), ...(critical ? [encodeDer(0x01, Buffer.of(0xff))] : []), encodeDer(0x04, value));
const nameOf = (common: string): Buffer =>
  encodeDer(0x30, encodeDer(0x31, encodeDer(0x30, oid('2.5.4.3'), encodeDer(0x0c, Buffer.from(common)))));
const time = (at: Date): Buffer =>
  encodeDer(0x17, Buffer.from(`${at.toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`));

export function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

export interface Authority {
  readonly name: string;
  readonly keys: KeyPair;
  readonly pem: string;
}

interface Body {
  readonly issuer: string;
  readonly subject: string;
  readonly key: KeyObject;
  readonly from: Date;
  readonly to: Date;
  readonly extensions: readonly Buffer[];
}

function bodyOf({ issuer, subject, key, from, to, extensions }: Body, serial: Buffer): Buffer {
  return encodeDer(
    0x30,
    encodeDer(0xa0, encodeDer(0x02, Buffer.of(2))),
    encodeDer(0x02, serial),
    ecdsa,
    nameOf(issuer),
    encodeDer(0x30, time(from), time(to)),
    nameOf(subject),
    spki(key),
    encodeDer(0xa3, encodeDer(0x30, ...extensions)),
  );
}

const signedBy = (body: Buffer, key: KeyObject): Buffer =>
  encodeDer(0x30, body, ecdsa, encodeDer(0x03, Buffer.of(0), sign('sha256', body, key)));
const newSerial = (): Buffer => Buffer.concat([Buffer.of(1), randomBytes(8)]);

const day = 86_400_000;

export function makeAuthority(name: string, parent?: Authority): Authority {
  const keys = keyPair();
  const issuer = parent ?? { name, keys };
  const body = bodyOf(
    {
      issuer: issuer.name,
      subject: name,
      key: keys.publicKey,
      from: new Date(Date.now() - 10 * day),
      to: new Date(Date.now() + day),
      extensions: [
        extension('2.5.29.19', encodeDer(0x30, encodeDer(0x01, Buffer.of(0xff))), true),
        extension('2.5.29.15', encodeDer(0x03, Buffer.of(1, 0x06)), true),
      ],
    },
    newSerial(),
  );
  return { name, keys, pem: pemOf(signedBy(body, issuer.keys.privateKey)) };
}

export interface Leaf {
  readonly subject: string;
  /** Default: `subject` as a URI. */
  readonly kind?: 'uri' | 'mail';
  readonly issuer: string;
  readonly at: Date;
  /** Default: code signing. */
  readonly use?: string;
  /** The log of certificates; undefined: it was not entered. */
  readonly log?: KeyPair;
}

/** The list in the extension: one timestamp for the body that the certificate has without it. */
function timestamp(body: Buffer, issuer: Authority, log: KeyPair, at: Date): Buffer {
  const when = Buffer.alloc(8);
  when.writeBigUInt64BE(BigInt(at.getTime()));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const entry = [keyId(issuer.keys.publicKey), length.subarray(1), body];
  const data = Buffer.concat([Buffer.of(0, 0), when, Buffer.of(0, 1), ...entry, Buffer.of(0, 0)]);
  const signature = sign('sha256', data, log.privateKey);
  const size = (data: Buffer): Buffer => Buffer.of(data.length >> 8, data.length & 0xff);
  const one = Buffer.concat([
    Buffer.of(0),
    keyId(log.publicKey),
    when,
    Buffer.of(0, 0, 4, 3),
    size(signature),
    signature,
  ]);
  const list = Buffer.concat([size(one), one]);
  return Buffer.concat([size(list), list]);
}

/** A certificate for ten minutes and its key. */
export function issueLeaf(
  authority: Authority,
  leaf: Leaf,
): { readonly pem: string; readonly key: KeyObject } {
  const keys = keyPair();
  const name = encodeDer(leaf.kind === 'mail' ? 0x81 : 0x86, Buffer.from(leaf.subject));
  const extensions = [
    extension('2.5.29.15', encodeDer(0x03, Buffer.of(7, 0x80)), true),
    extension('2.5.29.37', encodeDer(0x30, oid(leaf.use ?? '1.3.6.1.5.5.7.3.3'))),
    extension('2.5.29.17', encodeDer(0x30, name), true),
    extension('1.3.6.1.4.1.57264.1.8', encodeDer(0x0c, Buffer.from(leaf.issuer))),
  ];
  const body = {
    issuer: authority.name,
    subject: '',
    key: keys.publicKey,
    from: new Date(leaf.at.getTime() - 300_000),
    to: new Date(leaf.at.getTime() + 300_000),
  };
  const serial = newSerial();
  if (leaf.log !== undefined) {
    const list = timestamp(bodyOf({ ...body, extensions }, serial), authority, leaf.log, leaf.at);
    extensions.push(extension('1.3.6.1.4.1.11129.2.4.2', encodeDer(0x04, list)));
  }
  const der = signedBy(bodyOf({ ...body, extensions }, serial), authority.keys.privateKey);
  return { pem: pemOf(der), key: keys.privateKey };
}

/** The bundle that a log of signatures gives; `change` what it says before it is signed. */
export function bundleOf(
  log: KeyPair,
  entered: { readonly payload: Buffer; readonly signature: Buffer; readonly pem: string; readonly at: Date },
): Record<string, unknown> {
  const value = createHash('sha256').update(entered.payload).digest('hex');
  const record = {
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: {
      data: { hash: { algorithm: 'sha256', value } },
      signature: {
        content: entered.signature.toString('base64'),
        publicKey: { content: Buffer.from(entered.pem).toString('base64') },
      },
    },
  };
  const payload = {
    body: Buffer.from(JSON.stringify(record)).toString('base64'),
    integratedTime: Math.floor(entered.at.getTime() / 1000),
    logID: keyId(log.publicKey).toString('hex'),
    logIndex: 7,
  };
  const promise = sign('sha256', Buffer.from(JSON.stringify(payload)), log.privateKey);
  return { SignedEntryTimestamp: promise.toString('base64'), Payload: payload };
}
