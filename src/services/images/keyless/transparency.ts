/** What transparency logs signed: that a signature was entered (Rekor), and that a certificate was (RFC 6962). Both offline. */

import { createHash, verify, X509Certificate, type KeyObject } from 'node:crypto';
import { invalid } from '../../../core/errors.ts';
import { isObject, parseJson, type JsonObject } from '../config.ts';
import { timestampsOf, withoutTimestamps } from './certificate.ts';
import { readOneDer } from './der.ts';

const sha256 = (data: Buffer | string): Buffer => createHash('sha256').update(data).digest();
/** How logs name a key, and certificates their issuer's. */
const keyId = (key: KeyObject): Buffer => sha256(key.export({ type: 'spki', format: 'der' }));

const text = (value: unknown, what: string): string => {
  if (typeof value !== 'string' || value === '') throw invalid(`malformed bundle: no ${what}`);
  return value;
};
const base64 = (value: unknown, what: string): Buffer => {
  const encoded = text(value, what);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) throw invalid(`malformed bundle: ${what} is not base64`);
  return Buffer.from(encoded, 'base64');
};
const object = (value: unknown, what: string): JsonObject => {
  if (!isObject(value)) throw invalid(`malformed bundle: no ${what}`);
  return value;
};
const count = (value: unknown, what: string): number => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw invalid(`malformed bundle: no ${what}`);
  return value as number;
};

export interface Entered {
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly certificate: X509Certificate;
}

/** The entry must be about this payload, this signature and this certificate. */
function checkEntry(body: Buffer, { payload, signature, certificate }: Entered): void {
  const entry = object(parseJson(body, 'log entry'), 'entry');
  if (entry['kind'] !== 'hashedrekord') throw invalid('the log’s entry is of another kind');
  const spec = object(entry['spec'], 'spec');
  const hash = object(object(spec['data'], 'data')['hash'], 'hash');
  const signed = object(spec['signature'], 'signature');
  const holder = base64(object(signed['publicKey'], 'publicKey')['content'], 'publicKey');
  let entered: X509Certificate;
  try {
    entered = new X509Certificate(holder);
  } catch (error) {
    throw invalid('malformed bundle: its publicKey is no certificate', error);
  }
  const isSame =
    hash['algorithm'] === 'sha256' &&
    hash['value'] === sha256(payload).toString('hex') &&
    base64(signed['content'], 'content').equals(signature) &&
    entered.raw.equals(certificate.raw);
  if (!isSame) throw invalid('the log’s entry is about something else');
}

/**
 * The time at which a log took the signature, as the log signed it. `invalid` with a sentence when the bundle is malformed,
 * by another log, or about something else.
 */
export function checkBundle(bundle: string, log: KeyObject, entered: Entered): Date {
  const document = object(parseJson(Buffer.from(bundle), 'bundle'), 'object');
  const { body, integratedTime, logID, logIndex } = object(document['Payload'], 'Payload');
  const signed = {
    body: text(body, 'body'),
    integratedTime: count(integratedTime, 'integratedTime'),
    logID: text(logID, 'logID'),
    logIndex: count(logIndex, 'logIndex'),
  };
  if (signed.logID !== keyId(log).toString('hex')) throw invalid('its bundle is by another log');
  // As RFC 8785 has it: these names are in order, and nothing in the values needs an escape.
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(signed.body)) throw invalid('malformed bundle: body is not base64');
  const promise = base64(document['SignedEntryTimestamp'], 'SignedEntryTimestamp');
  if (!verify('sha256', Buffer.from(JSON.stringify(signed)), log, promise))
    throw invalid('the log did not sign its bundle');
  checkEntry(Buffer.from(signed.body, 'base64'), entered);
  return new Date(signed.integratedTime * 1000);
}

/** Splits `<length><bytes>...`, lengths of two bytes. */
function items(data: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < data.length;) {
    if (at + 2 > data.length) throw invalid('malformed certificate timestamps');
    const end = at + 2 + data.readUInt16BE(at);
    if (end > data.length) throw invalid('malformed certificate timestamps');
    found.push(data.subarray(at + 2, end));
    at = end;
  }
  return found;
}

/** Version, log id, time, extensions (none are known), algorithm (ECDSA with SHA-256), signature. */
function isSigned(timestamp: Buffer, log: KeyObject, entry: Buffer): boolean {
  if (timestamp.length < 47 || timestamp[0] !== 0 || !timestamp.subarray(1, 33).equals(keyId(log)))
    return false;
  const extensions = timestamp.readUInt16BE(41);
  const at = 43 + extensions;
  if (at + 4 > timestamp.length || timestamp.readUInt16BE(at) !== 0x0403) return false;
  const signature = timestamp.subarray(at + 4);
  if (signature.length !== timestamp.readUInt16BE(at + 2)) return false;
  // Version 1, a certificate's timestamp; the time; an entry of a certificate to be.
  const head = Buffer.concat([Buffer.of(0, 0), timestamp.subarray(33, 41), Buffer.of(0, 1)]);
  return verify('sha256', Buffer.concat([head, entry, timestamp.subarray(41, at)]), log, signature);
}

/** `invalid` unless the log signed that it took the certificate. */
export function checkTimestamp(certificate: X509Certificate, issuer: X509Certificate, log: KeyObject): void {
  const extension = timestampsOf(certificate);
  if (extension === undefined) throw invalid('its certificate was entered in no log');
  // An OCTET STRING in the extension's own.
  const [list] = items(readOneDer(extension, 0x04).content);
  const body = withoutTimestamps(certificate);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const entry = Buffer.concat([keyId(issuer.publicKey), length.subarray(1), body]);
  if (!items(list ?? Buffer.alloc(0)).some((timestamp) => isSigned(timestamp, log, entry)))
    throw invalid('its certificate is not signed by the log of certificates');
}
