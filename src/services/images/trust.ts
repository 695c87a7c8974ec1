/**
 * Signatures of images, checked before anything of the image is fetched: as cosign stores them with a key or a certificate (a document that
 * names the image's digest, signed, under the tag `sha256-<hex>.sig`), and sigstore bundles among the image's referrers.
 */

import type { Ctx } from '../../core/ctx.ts';
import { forbidden, invalid, toSlipwayError } from '../../core/errors.ts';
import { familiar, repositoryName } from '../../core/reference.ts';
import { isObject, parseJson } from './config.ts';
import type { Room, Source } from './deps.ts';
import { envelopeMessage, envelopeObjection, parseBundle } from './keyless/bundle.ts';
import { parseCertificates } from './keyless/certificate.ts';
import { base64, object } from './keyless/fields.ts';
import { parseEntry } from './keyless/transparency.ts';
import { checkKeyless, isSignedBy, type KeylessSignature } from './keyless/verify.ts';
import { signaturesOf, type Bundled, type Simple, type Stored } from './signatures.ts';
import { matchesName, ruleFor, type TrustRule } from './trust-policy.ts';

const payloadKind = 'cosign container image signature';

interface Signed {
  /** The bytes that the signature covers. */
  readonly message: Buffer;
  readonly signature: Buffer;
  /** What is needed for one by certificate. `invalid` where it lacks. */
  readonly keyless: () => KeylessSignature;
  /** Why what is signed does not speak for the image; undefined when it does. */
  readonly objection: () => string | undefined;
}

/** What is asked of a signature. */
interface Demand {
  readonly rule: TrustRule;
  readonly digest: string;
  readonly repository: string;
  /** The image's manifest. */
  readonly manifest: () => Promise<Buffer>;
}

/** cosign calls Docker Hub by its old name. */
const normalized = (name: string): string =>
  name
    .replace(/^index\.docker\.io\//, 'docker.io/')
    .replace(/@.*$/, '')
    .replace(/:[^/:]*$/, '');

const isNameFor =
  (pattern: string) =>
  (name: string): boolean =>
    matchesName(pattern, normalized(name));

/** Of cosign's own document. */
function simpleObjection(payload: Buffer, { rule, digest, repository }: Demand): string | undefined {
  const value = parseJson(payload, 'signature');
  const critical = isObject(value) && isObject(value['critical']) ? value['critical'] : {};
  const { type, image, identity } = critical;
  if (type !== payloadKind) return 'it signs something that is no image';
  if (!isObject(image) || image['docker-manifest-digest'] !== digest) return 'it is for another image';
  const name = isObject(identity) ? identity['docker-reference'] : undefined;
  if (typeof name !== 'string' || !isNameFor(rule.identity ?? repository)(name))
    return `it is for the name ${JSON.stringify(name ?? '')}`;
  return undefined;
}

/** The answer of a timestamp authority that cosign keeps beside a signature. */
const timestampOf = (note: string): Buffer =>
  base64(
    object(parseJson(Buffer.from(note), 'timestamp'), 'timestamp')['SignedRFC3161Timestamp'],
    'SignedRFC3161Timestamp',
  );

function simple(
  { payload, signature, certificate, chain, entry, timestamp }: Simple,
  demand: Demand,
): Signed {
  const keyless = (): KeylessSignature => {
    if (certificate === undefined) throw invalid('one has no certificate');
    const [own, ...more] = parseCertificates(certificate, 'the certificate of one');
    if (own === undefined || more.length > 0) throw invalid('one has several certificates');
    return {
      message: payload,
      payload,
      signature,
      certificate: own,
      chain: chain === undefined ? [] : parseCertificates(chain, 'the chain of one'),
      entries: entry === undefined ? [] : [parseEntry(entry)],
      timestamps: timestamp === undefined ? [] : [timestampOf(timestamp)],
    };
  };
  return { message: payload, signature, keyless, objection: () => simpleObjection(payload, demand) };
}

async function bundled({ document }: Bundled, demand: Demand): Promise<Signed> {
  const bundle = parseBundle(document);
  const { envelope, certificate, signature } = bundle;
  const message = envelope === undefined ? await demand.manifest() : envelopeMessage(envelope);
  const keyless = (): KeylessSignature => {
    if (certificate === undefined) throw invalid('one has no certificate');
    return { ...bundle, certificate, message, payload: envelope?.payload ?? message };
  };
  const { digest, rule } = demand;
  const isName = rule.identity === undefined ? undefined : isNameFor(rule.identity);
  const objection = (): string | undefined => {
    if (envelope !== undefined) {
      const words = envelopeObjection(envelope, digest, isName);
      return words === undefined ? undefined : `it ${words}`;
    }
    if (bundle.digest !== undefined && bundle.digest.toString('hex') !== digest.slice(7))
      return 'it is for another image';
    return isName === undefined ? undefined : 'it is for the name ""';
  };
  return { message, signature, keyless, objection };
}

/** Whose signature it is: one of the keys', or one by certificate. Only then is the payload worth reading. `invalid` with the reason for nobody's. */
function signerOf(rule: TrustRule, signed: Signed): string {
  const byKey = rule.keys.find(({ key }) => isSignedBy(key, signed.message, signed.signature));
  if (byKey !== undefined) return byKey.name;
  if (rule.keyless === undefined) throw invalid('one is not by any of its keys');
  return checkKeyless(rule.keyless, signed.keyless());
}

/** No reason: the signature speaks for the image. Whatever is malformed about it is a reason. */
async function examine(
  stored: Stored,
  demand: Demand,
): Promise<{ readonly signer: string; readonly reason: string | undefined }> {
  let signer = '';
  try {
    const signed = stored.is === 'simple' ? simple(stored, demand) : await bundled(stored, demand);
    signer = signerOf(demand.rule, signed);
    const reason = signed.objection();
    return { signer, reason: reason === undefined ? undefined : `of one by ${signer} ${reason}` };
  } catch (error) {
    const { kind, message } = toSlipwayError(error);
    // A registry that cannot be asked says nothing about the signature.
    if (kind === 'unavailable') throw error;
    return { signer, reason: message };
  }
}

/**
 * Returns when the policy has nothing against the image. `forbidden` with a sentence that says why otherwise, and the
 * registry's own error when it cannot be asked.
 */
export async function checkTrust(room: Room, ctx: Ctx, source: Source, digest: string): Promise<void> {
  const policy = await room.trustPolicy?.();
  if (policy === undefined) return;
  const repository = repositoryName(source.repository);
  const rule = ruleFor(policy, repository);
  if (rule === undefined) return;
  const shown = `${familiar(repository)}@${digest}`;
  const manifest = async (): Promise<Buffer> =>
    (await room.registry.manifest(ctx, source.repository, digest, source.credentials)).bytes;
  const demand: Demand = { rule, digest, repository, manifest };
  const reasons: string[] = [];
  for await (const stored of signaturesOf(room, ctx, source, digest)) {
    const { signer, reason } = await examine(stored, demand);
    if (reason === undefined) {
      ctx.log.info('signature verified', { image: shown, signer });
      return;
    }
    reasons.push(reason);
  }
  const why = reasons.length === 0 ? 'it has no signature' : [...new Set(reasons)].join(', ');
  throw forbidden(`${shown} is refused by the trust policy: ${why}`);
}
