/**
 * Signatures as cosign makes them with a key: a document that names the image's digest, signed, and kept in the registry
 * beside the image under the tag `sha256-<hex>.sig`, or as a referrer of it. Checked before anything of the image is fetched.
 */

import { verify } from 'node:crypto';
import type { Ctx } from '../../core/ctx.ts';
import { forbidden, isKind, toSlipwayError } from '../../core/errors.ts';
import type { Descriptor } from '../../core/model/image.ts';
import { familiar, repositoryName } from '../../core/reference.ts';
import { isObject, parseJson } from './config.ts';
import type { Room, Source } from './deps.ts';
import { readDocument } from './distribution.ts';
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

interface Signature {
  readonly payload: Buffer;
  readonly bytes: Buffer;
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
    found.push({ payload: await readDocument(stream, layer), bytes: Buffer.from(signature, 'base64') });
  }
  return found;
}

/** Whose signature it is; undefined for none of the keys. Only then is the payload worth reading. */
function signerOf(rule: TrustRule, { payload, bytes }: Signature): string | undefined {
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
      const signer = signerOf(rule, signature);
      if (signer === undefined) {
        reasons.push('one is not by any of its keys');
        continue;
      }
      const reason = payloadObjection(signature.payload, digest, isName);
      if (reason === undefined) {
        ctx.log.info('signature verified', { image: shown, key: signer });
        return;
      }
      reasons.push(`of one by ${signer} ${reason}`);
    }
  }
  const why = reasons.length === 0 ? 'it has no signature' : [...new Set(reasons)].join(', ');
  throw forbidden(`${shown} is refused by the trust policy: ${why}`);
}

function payloadObjection(
  payload: Buffer,
  digest: string,
  isName: (name: string) => boolean,
): string | undefined {
  try {
    return objection(payload, digest, isName);
  } catch (error) {
    return toSlipwayError(error).message;
  }
}
