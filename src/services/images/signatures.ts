/** Where a registry keeps signatures of an image: under a tag made of its digest, and among what refers to it. */

import type { Ctx } from '../../core/ctx.ts';
import { isKind } from '../../core/errors.ts';
import type { Descriptor } from '../../core/model/image.ts';
import type { Room, Source } from './deps.ts';
import { readDocument } from './distribution.ts';
import { isBundle } from './keyless/bundle.ts';
import { parseDocument } from './manifests.ts';

/** cosign's document, signed, and what it keeps beside; as text, since nobody has looked at it yet. */
export interface Simple {
  readonly is: 'simple';
  readonly payload: Buffer;
  readonly signature: Buffer;
  /** PEM. */
  readonly certificate: string | undefined;
  readonly chain: string | undefined;
  /** The log's entry, JSON. */
  readonly entry: string | undefined;
  /** Of a timestamp authority, JSON. */
  readonly timestamp: string | undefined;
}

export interface Bundled {
  readonly is: 'bundle';
  readonly document: Buffer;
}

export type Stored = Simple | Bundled;

const payloadType = 'application/vnd.dev.cosign.simplesigning.v1+json';
const signatureType = 'application/vnd.dev.cosign.artifact.sig.v1+json';
const signatureNote = 'dev.cosignproject.cosign/signature';
const maxPayload = 64 << 10;
/** With the statement, its certificate and its entry in a log. */
const maxBundle = 1 << 20;
const maxSignatures = 32;
const maxReferrers = 64;

/** Registries that do not know of artifact types tell the one of the config instead, which is empty. */
const mayBeSignature = (type: string | undefined): boolean =>
  type === undefined ||
  type === signatureType ||
  type === 'application/vnd.oci.empty.v1+json' ||
  isBundle(type);

/** Names of manifests. */
async function* places(room: Room, ctx: Ctx, source: Source, digest: string): AsyncGenerator<string> {
  yield `${digest.replace(':', '-')}.sig`;
  const { repository, credentials } = source;
  const all = await room.registry.referrers(ctx, repository, digest, credentials);
  for (const each of all.filter(({ artifactType }) => mayBeSignature(artifactType)).slice(0, maxReferrers))
    yield each.digest;
}

/** What cosign keeps beside a signature by certificate; more than this is no certificate. */
const maxNote = 64 << 10;

function noteOf(layer: Descriptor, name: string): string | undefined {
  const note = layer.annotations?.[name];
  return note === undefined || note === '' || note.length > maxNote ? undefined : note;
}

async function layersAt(room: Room, ctx: Ctx, source: Source, name: string): Promise<readonly Descriptor[]> {
  const { repository, credentials } = source;
  try {
    const { descriptor, bytes } = await room.registry.manifest(ctx, repository, name, credentials);
    const document = parseDocument(bytes, descriptor.mediaType);
    return document.is === 'manifest' ? document.manifest.layers.slice(0, maxSignatures) : [];
  } catch (error) {
    // Whatever else refers to the image may be of any form.
    if (isKind(error, 'notFound') || isKind(error, 'invalid')) return [];
    throw error;
  }
}

async function read(room: Room, ctx: Ctx, source: Source, layer: Descriptor): Promise<Buffer> {
  const { stream } = await room.registry.blob(ctx, source.repository, layer, source.credentials);
  return await readDocument(stream, layer);
}

/** In no order of trust; none of it is checked. */
export async function* signaturesOf(
  room: Room,
  ctx: Ctx,
  source: Source,
  digest: string,
): AsyncGenerator<Stored> {
  for await (const place of places(room, ctx, source, digest)) {
    for (const layer of await layersAt(room, ctx, source, place)) {
      if (isBundle(layer.mediaType) && layer.size <= maxBundle)
        yield { is: 'bundle', document: await read(room, ctx, source, layer) };
      const signature = layer.annotations?.[signatureNote];
      if (layer.mediaType !== payloadType || signature === undefined || layer.size > maxPayload) continue;
      yield {
        is: 'simple',
        payload: await read(room, ctx, source, layer),
        signature: Buffer.from(signature, 'base64'),
        certificate: noteOf(layer, 'dev.sigstore.cosign/certificate'),
        chain: noteOf(layer, 'dev.sigstore.cosign/chain'),
        entry: noteOf(layer, 'dev.sigstore.cosign/bundle'),
        timestamp: noteOf(layer, 'dev.sigstore.cosign/rfc3161timestamp'),
      };
    }
  }
}
