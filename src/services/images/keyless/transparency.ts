/** What transparency logs signed: that a signature was entered (Rekor), and that a certificate was (RFC 6962). Both offline. */

import { createHash, verify, type KeyObject, type X509Certificate } from 'node:crypto';
import { invalid } from '../../../core/errors.ts';
import { parseJson } from '../config.ts';
import { timestampsOf, withoutTimestamps } from './certificate.ts';
import { readOneDer } from './der.ts';
import { checkEntry, type Entered } from './entry.ts';
import { base64, count, object, text } from './fields.ts';
import { checkInclusion, type InclusionProof } from './inclusion.ts';

const sha256 = (data: Buffer | string): Buffer => createHash('sha256').update(data).digest();
const hashFor = (key: KeyObject): string | null => (key.asymmetricKeyType === 'ed25519' ? null : 'sha256');
/** How logs name a key, and certificates their issuer's. */
const keyId = (key: KeyObject): Buffer => sha256(key.export({ type: 'spki', format: 'der' }));

export interface LogEntry {
  /** Base64: what the log keeps. */
  readonly body: string;
  /** Seconds since the epoch. True only as far as the promise is. */
  readonly integratedTime: number;
  /** Hex. */
  readonly logId: string;
  readonly logIndex: number;
  /** The log's signature over all of the above. */
  readonly promise: Buffer | undefined;
  readonly proof: InclusionProof | undefined;
}

/** The bundle that cosign stores beside a signature. `invalid` with a sentence when it is malformed. */
export function parseEntry(bundle: string): LogEntry {
  const document = object(parseJson(Buffer.from(bundle), 'bundle'), 'object');
  const { body, integratedTime, logID, logIndex } = object(document['Payload'], 'Payload');
  const entry = {
    body: text(body, 'body'),
    integratedTime: count(integratedTime, 'integratedTime'),
    logId: text(logID, 'logID'),
    logIndex: count(logIndex, 'logIndex'),
  };
  base64(entry.body, 'body');
  return {
    ...entry,
    promise: base64(document['SignedEntryTimestamp'], 'SignedEntryTimestamp'),
    proof: undefined,
  };
}

/** The time at which the log took the entry, where it signed one. */
function promisedAt(entry: LogEntry, promise: Buffer, log: KeyObject): Date {
  const { body, integratedTime, logId, logIndex } = entry;
  if (logId !== keyId(log).toString('hex')) throw invalid('its bundle is by another log');
  // As RFC 8785 has it: these names are in order, and nothing in the values needs an escape.
  const signed = JSON.stringify({ body, integratedTime, logID: logId, logIndex });
  if (!verify(hashFor(log), Buffer.from(signed), log, promise))
    throw invalid('the log did not sign its bundle');
  return new Date(integratedTime * 1000);
}

/**
 * The time at which a log took the signature; undefined where it only vouches that it did (by a proof of inclusion). `invalid` with a
 * sentence when the entry is by another log, or about something else.
 */
export function checkLogged(entry: LogEntry, log: KeyObject, entered: Entered): Date | undefined {
  const { promise, proof } = entry;
  if (promise === undefined && proof === undefined) throw invalid('one was entered in no log');
  const body = Buffer.from(entry.body, 'base64');
  const at = promise === undefined ? undefined : promisedAt(entry, promise, log);
  if (proof !== undefined) checkInclusion(body, proof, log);
  checkEntry(body, entered);
  return at;
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
