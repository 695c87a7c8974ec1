/** Entries of a log of signatures (Rekor's, both of its versions): which signature each is about. */

import { createHash, X509Certificate } from 'node:crypto';
import { invalid } from '../../../core/errors.ts';
import { parseJson, type JsonObject } from '../config.ts';
import { base64, list, object, text } from './fields.ts';

const sha256 = (data: Buffer): Buffer => createHash('sha256').update(data).digest();

export interface Entered {
  /** The bytes that the signature covers. */
  readonly message: Buffer;
  /** What an envelope holds; elsewhere the same as the message. */
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly certificate: X509Certificate;
}

/** What an entry says: of whichever bytes, signed how, by whom. */
interface Said {
  readonly hash: Buffer;
  readonly of: 'message' | 'payload';
  readonly signature: Buffer;
  readonly holder: Buffer;
}

const hex = (value: unknown, what: string): Buffer => Buffer.from(text(value, what), 'hex');

function sha256Of(value: unknown, what: string): Buffer {
  const { algorithm, value: digest } = object(value, what);
  if (algorithm !== 'sha256') throw invalid('the log’s entry is about something else');
  return hex(digest, what);
}

function typedSha256Of(value: unknown, what: string): Buffer {
  const { algorithm, digest } = object(value, what);
  if (algorithm !== 'SHA2_256') throw invalid('the log’s entry is about something else');
  return base64(digest, what);
}

const certificateOf = (verifier: unknown): Buffer =>
  base64(object(object(verifier, 'verifier')['x509Certificate'], 'x509Certificate')['rawBytes'], 'rawBytes');

/** Of several signatures of an envelope the one that is looked for; the first where none is. */
function oneOf(values: unknown, field: string, signature: Buffer): JsonObject {
  const all = list(values, 'signatures', 8).map((each) => object(each, 'signature'));
  const encoded = signature.toString('base64');
  return all.find((each) => each[field] === encoded) ?? object(all[0], 'signature');
}

const readers: Readonly<Record<string, (spec: JsonObject, signature: Buffer) => Said>> = {
  'hashedrekord 0.0.1': (spec) => {
    const { content, publicKey } = object(spec['signature'], 'signature');
    return {
      hash: sha256Of(object(spec['data'], 'data')['hash'], 'hash'),
      of: 'message',
      signature: base64(content, 'content'),
      holder: base64(object(publicKey, 'publicKey')['content'], 'publicKey'),
    };
  },
  'hashedrekord 0.0.2': (spec) => {
    const own = object(spec['hashedRekordV002'], 'hashedRekordV002');
    const { content, verifier } = object(own['signature'], 'signature');
    return {
      hash: typedSha256Of(own['data'], 'data'),
      of: 'message',
      signature: base64(content, 'content'),
      holder: certificateOf(verifier),
    };
  },
  'dsse 0.0.1': (spec, wanted) => {
    const { signature, verifier } = oneOf(spec['signatures'], 'signature', wanted);
    return {
      hash: sha256Of(spec['payloadHash'], 'payloadHash'),
      of: 'payload',
      signature: base64(signature, 'signature'),
      holder: base64(verifier, 'verifier'),
    };
  },
  'dsse 0.0.2': (spec, wanted) => {
    const own = object(spec['dsseV002'], 'dsseV002');
    const { content, verifier } = oneOf(own['signatures'], 'content', wanted);
    return {
      hash: typedSha256Of(own['payloadHash'], 'payloadHash'),
      of: 'payload',
      signature: base64(content, 'content'),
      holder: certificateOf(verifier),
    };
  },
};

/** `invalid` unless the entry is about this signature, by this certificate. */
export function checkEntry(body: Buffer, entered: Entered): void {
  const entry = object(parseJson(body, 'log entry'), 'entry');
  const read = readers[`${String(entry['kind'])} ${String(entry['apiVersion'])}`];
  if (read === undefined) throw invalid('the log’s entry is of another kind');
  const said = read(object(entry['spec'], 'spec'), entered.signature);
  let holder: X509Certificate;
  try {
    holder = new X509Certificate(said.holder);
  } catch (error) {
    throw invalid('malformed bundle: its publicKey is no certificate', error);
  }
  const isSame =
    said.hash.equals(sha256(entered[said.of])) &&
    said.signature.equals(entered.signature) &&
    holder.raw.equals(entered.certificate.raw);
  if (!isSame) throw invalid('the log’s entry is about something else');
}
