/**
 * Signatures as cosign makes them with a key: a document that names the image's digest, signed, and kept in the registry
 * beside the image under the tag `sha256-<hex>.sig`, or as a referrer of it. Checked before anything of the image is fetched.
 */

import { verify } from 'node:crypto';
import type { Ctx } from '../../core/ctx.ts';
import { forbidden, invalid, isKind, toSlipwayError } from '../../core/errors.ts';
import type { Descriptor } from '../../core/model/image.ts';
import { familiar, repositoryName } from '../../core/reference.ts';
import { isObject, parseJson } from './config.ts';
import type { Room, Source } from './deps.ts';
import { readDocument } from './distribution.ts';
import { checkKeyless, type KeylessSignature } from './keyless/verify.ts';
import { parseDocument } from './manifests.ts';
import { matchesName, ruleFor, type TrustRule } from './trust-policy.ts';

const payloadType = 'application/vnd.dev.cosign.simplesigning.v1+json';
const signatureType = 'application/vnd.dev.cosign.artifact.sig.v1+json';
const signatureNote = 'dev.cosignproject.cosign/signature';
const payloadKind = 'cosign container image signature';
const maxPayload = 64 << 10;
const maxSignatures = 32;

/** Where signatures of a digest may be: names of manifests. */
async function* places(room: Room, ctx: Ctx, source: Source, digest: string): AsyncGenerator<string> {
  yield `${digest.replace(':', '-')}.sig`;
  const { repository, credentials } = source;
  for (const each of await room.registry.referrers(ctx, repository, digest, credentials))
    if (each.artifactType === signatureType) yield each.digest;
}

type Signature = KeylessSignature;

/** What cosign keeps beside a signature by certificate; more than this is no certificate. */
const maxNote = 64 << 10;

function noteOf(layer: Descriptor, name: string): string | undefined {
  const note = layer.annotations?.[name];
  return note === undefined || note === '' || note.length > maxNote ? undefined : note;
}

async function signaturesAt(
  room: Room,
  ctx: Ctx,
  source: Source,
  name: string,
): Promise<readonly Signature[]> {
  const { repository, credentials } = source;
  const found: Signature[] = [];
  let layers: readonly Descriptor[];
  try {
    const { descriptor, bytes } = await room.registry.manifest(ctx, repository, name, credentials);
    const document = parseDocument(bytes, descriptor.mediaType);
    layers = document.is === 'manifest' ? document.manifest.layers : [];
  } catch (error) {
    if (isKind(error, 'notFound')) return [];
    throw error;
  }
  for (const layer of layers.slice(0, maxSignatures)) {
    const signature = layer.annotations?.[signatureNote];
    if (layer.mediaType !== payloadType || signature === undefined || layer.size > maxPayload) continue;
    const { stream } = await room.registry.blob(ctx, repository, layer, credentials);
    found.push({
      payload: await readDocument(stream, layer),
      bytes: Buffer.from(signature, 'base64'),
      certificate: noteOf(layer, 'dev.sigstore.cosign/certificate'),
      chain: noteOf(layer, 'dev.sigstore.cosign/chain'),
      bundle: noteOf(layer, 'dev.sigstore.cosign/bundle'),
    });
  }
  return found;
}

/** Whose signature it is: one of the keys', or one by certificate. Only then is the payload worth reading. `invalid` with the reason for nobody's. */
function signerOf(rule: TrustRule, signature: Signature): string {
  const byKey = keyOf(rule, signature);
  if (byKey !== undefined) return byKey;
  if (rule.keyless === undefined) throw invalid('one is not by any of its keys');
  return checkKeyless(rule.keyless, signature);
}

function keyOf(rule: TrustRule, { payload, bytes }: Signature): string | undefined {
  return rule.keys.find(({ key }) => {
    try {
      return verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, key, bytes);
    } catch {
      return false;
    }
  })?.name;
}

/** Why a payload, whose signature is good, does not speak for the image; undefined when it does. */
function objection(payload: Buffer, digest: string, isName: (name: string) => boolean): string | undefined {
  const value = parseJson(payload, 'signature');
  const critical = isObject(value) && isObject(value['critical']) ? value['critical'] : {};
  const { type, image, identity } = critical;
  if (type !== payloadKind) return 'it signs something that is no image';
  if (!isObject(image) || image['docker-manifest-digest'] !== digest) return 'it is for another image';
  const name = isObject(identity) ? identity['docker-reference'] : undefined;
  if (typeof name !== 'string' || !isName(name)) return `it is for the name ${JSON.stringify(name ?? '')}`;
  return undefined;
}

/** cosign calls Docker Hub by its old name. */
const normalized = (name: string): string =>
  name
    .replace(/^index\.docker\.io\//, 'docker.io/')
    .replace(/@.*$/, '')
    .replace(/:[^/:]*$/, '');

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
  const isName = (name: string): boolean => matchesName(rule.identity ?? repository, normalized(name));
  const reasons: string[] = [];
  for await (const place of places(room, ctx, source, digest)) {
    for (const signature of await signaturesAt(room, ctx, source, place)) {
      const { signer, reason } = examine(rule, signature, digest, isName);
      if (reason === undefined) {
        ctx.log.info('signature verified', { image: shown, signer });
        return;
      }
      reasons.push(reason);
    }
  }
  const why = reasons.length === 0 ? 'it has no signature' : [...new Set(reasons)].join(', ');
  throw forbidden(`${shown} is refused by the trust policy: ${why}`);
}

/** No reason: the signature speaks for the image. Whatever is malformed about it is a reason. */
function examine(
  rule: TrustRule,
  signature: Signature,
  digest: string,
  isName: (name: string) => boolean,
): { readonly signer: string; readonly reason: string | undefined } {
  let signer = '';
  try {
    signer = signerOf(rule, signature);
    const reason = objection(signature.payload, digest, isName);
    return { signer, reason: reason === undefined ? undefined : `of one by ${signer} ${reason}` };
  } catch (error) {
    return { signer, reason: toSlipwayError(error).message };
  }
}
