/** OCI layouts for tests: indexes of several platforms, with attestations, written to order. */

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { tarOf, type File } from './engine.ts';

export const sha256 = (data: Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;
export const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  statement: 'application/vnd.in-toto+json',
} as const;

export interface Entry {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: object;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Collects blobs, and writes them as an archive of a layout. */
export class Layout {
  readonly blobs = new Map<string, Buffer>();

  add(mediaType: string, data: Buffer | object): Entry {
    const bytes = Buffer.isBuffer(data) ? data : Buffer.from(JSON.stringify(data));
    const digest = sha256(bytes);
    this.blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  /** A one-layer image; the entry for an index. */
  image(architecture: string, files: readonly File[], os = 'linux'): Entry & { readonly id: string } {
    const tar = tarOf(files);
    const config = this.add(types.config, {
      architecture,
      os,
      created: '2024-05-06T07:08:09Z',
      config: { Cmd: [architecture] },
      rootfs: { type: 'layers', diff_ids: [sha256(tar)] },
      history: [{ created_by: `made for ${architecture}` }],
    });
    const layers = [this.add(types.layer, gzipSync(tar))];
    const manifest = { schemaVersion: 2, mediaType: types.manifest, config, layers };
    return { ...this.add(types.manifest, manifest), platform: { os, architecture }, id: config.digest };
  }

  /** As BuildKit attaches it: a manifest of its own in the same index. */
  attestation(subject: string, predicateType: string, predicate: object): Entry {
    const body = { _type: 'https://in-toto.io/Statement/v0.1', predicateType, predicate };
    const statement = {
      ...this.add(types.statement, body),
      annotations: { 'in-toto.io/predicate-type': predicateType },
    };
    const config = this.add(types.config, {
      architecture: 'unknown',
      os: 'unknown',
      rootfs: { type: 'layers', diff_ids: [statement.digest] },
    });
    const manifest = { schemaVersion: 2, mediaType: types.manifest, config, layers: [statement] };
    return {
      ...this.add(types.manifest, manifest),
      platform: { os: 'unknown', architecture: 'unknown' },
      annotations: {
        'vnd.docker.reference.digest': subject,
        'vnd.docker.reference.type': 'attestation-manifest',
      },
    };
  }

  index(manifests: readonly Entry[]): Entry {
    const plain = manifests.map(({ mediaType, digest, size, platform, annotations }) => ({
      mediaType,
      digest,
      size,
      ...(platform !== undefined && { platform }),
      ...(annotations !== undefined && { annotations }),
    }));
    return this.add(types.index, { schemaVersion: 2, mediaType: types.index, manifests: plain });
  }

  /** The archive, without some of the blobs if so wished. */
  archive(
    tops: readonly { readonly entry: Entry; readonly name?: string }[],
    without: readonly string[] = [],
  ): Buffer {
    const manifests = tops.map(({ entry: { mediaType, digest, size }, name }) => ({
      mediaType,
      digest,
      size,
      ...(name !== undefined && { annotations: { 'io.containerd.image.name': name } }),
    }));
    const kept = [...this.blobs].filter(([digest]) => !without.includes(digest));
    return tarOf([
      { name: 'oci-layout', text: '{"imageLayoutVersion":"1.0.0"}' },
      { name: 'index.json', text: JSON.stringify({ schemaVersion: 2, manifests }) },
      ...kept.map(([digest, data]) => ({
        name: `blobs/sha256/${digest.slice(7)}`,
        text: data.toString('latin1'),
      })),
    ]);
  }
}

export const provenance = 'https://slsa.dev/provenance/v0.2';

/** `app` for amd64 and arm64 with a layer each, one attestation for each, under one index. */
export function multiPlatform(): {
  readonly layout: Layout;
  readonly amd64: Entry & { readonly id: string };
  readonly arm64: Entry & { readonly id: string };
  readonly index: Entry;
} {
  const layout = new Layout();
  const amd64 = layout.image('amd64', [{ name: 'bin', text: 'amd64!' }]);
  const arm64 = layout.image('arm64', [{ name: 'bin', text: 'for arm64' }]);
  const proofs = [amd64, arm64].map((each) =>
    layout.attestation(each.digest, provenance, { builder: each.platform }),
  );
  return { layout, amd64, arm64, index: layout.index([arm64, amd64, ...proofs]) };
}
