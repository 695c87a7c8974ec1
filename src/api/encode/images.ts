/** Images as the API shows them. */

import type { ImageRecord } from '../../core/model/image.ts';
import { never } from '../../core/model/container.ts';
import type {
  Attestation,
  HistoryItem,
  ImageDetails,
  ImageSummary,
  ManifestSummary,
  RemovedItem,
} from '../../services/images/index.ts';
import {
  hasFullImageConfig,
  hasImageContainer,
  hasImageDescriptor,
  hasEmptyImageFields,
  hasNullRepoDigests,
  hasVirtualSize,
  type ApiVersion,
} from '../versions.ts';
import { encodeConfig } from './container-config.ts';

export function encodeImageSummary(image: ImageSummary, version: ApiVersion): object {
  return {
    Containers: image.containers,
    Created: image.created,
    Id: image.id,
    Labels: Object.keys(image.labels).length === 0 ? null : image.labels,
    ParentId: image.parentId,
    RepoDigests: image.repoDigests.length === 0 && hasNullRepoDigests(version) ? null : image.repoDigests,
    RepoTags: image.repoTags,
    SharedSize: image.sharedSize,
    Size: image.size,
    ...(hasVirtualSize(version) ? { VirtualSize: image.size } : {}),
    ...(hasImageDescriptor(version) && image.descriptor !== undefined
      ? { Descriptor: image.descriptor }
      : {}),
    ...(image.manifests === undefined ? {} : { Manifests: image.manifests.map(encodeManifest) }),
  };
}

export function encodeManifest(manifest: ManifestSummary): object {
  const { image, attestationFor, content } = manifest;
  return {
    ID: manifest.id,
    Descriptor: manifest.descriptor,
    Available: manifest.available,
    Size: { Content: content, Total: content + (image?.unpacked ?? 0) },
    Kind: manifest.kind,
    ...(image === undefined
      ? {}
      : {
          ImageData: {
            Platform: image.platform,
            Containers: image.containers,
            Size: { Unpacked: image.unpacked },
          },
        }),
    ...(attestationFor === undefined ? {} : { AttestationData: { For: attestationFor } }),
  };
}

export function encodeAttestation(attestation: Attestation): object {
  const { descriptor, predicateType, statement } = attestation;
  return {
    Descriptor: descriptor,
    PredicateType: predicateType,
    ...(statement === undefined ? {} : { Statement: statement }),
  };
}

/** Fields of a config that only containers have; newer versions leave them out of images. */
const containerOnly = [
  'Hostname',
  'Domainname',
  'AttachStdin',
  'AttachStdout',
  'AttachStderr',
  'Tty',
  'OpenStdin',
  'StdinOnce',
  'Image',
];

function encodeImageConfig(record: ImageRecord, version: ApiVersion): object {
  const config = encodeConfig(record.config.config ?? {}, version);
  const labels = record.config.config?.Labels ?? null;
  if (hasFullImageConfig(version)) return { ...config, Labels: labels };
  const fields: Readonly<Record<string, unknown>> = { ...config, Labels: labels };
  const kept = Object.entries(fields).filter(
    ([name, value]) =>
      !containerOnly.includes(name) && (hasEmptyImageFields(version) || (value !== null && value !== '')),
  );
  return Object.fromEntries(kept) as object;
}

/** Newer versions leave out what is empty. */
function word(name: string, value: string | undefined, version: ApiVersion): object {
  if (value === undefined || value === '') return hasEmptyImageFields(version) ? { [name]: '' } : {};
  return { [name]: value };
}

export function encodeImage(image: ImageDetails, version: ApiVersion): object {
  const { record } = image;
  const document = record.config;
  return {
    Id: record.id,
    RepoTags: image.repoTags,
    RepoDigests: image.repoDigests,
    ...word('Parent', record.parent, version),
    ...word('Comment', document.comment, version),
    ...(image.created === '' ? {} : { Created: image.created }),
    ...(hasImageContainer(version) ? { Container: '', ContainerConfig: encodeConfig({}, version) } : {}),
    ...word('DockerVersion', document.docker_version, version),
    ...word('Author', document.author, version),
    Config: encodeImageConfig(record, version),
    Architecture: document.architecture,
    ...(document.variant === undefined || document.variant === '' ? {} : { Variant: document.variant }),
    Os: document.os,
    ...(document['os.version'] === undefined ? {} : { OsVersion: document['os.version'] }),
    Size: image.size,
    ...(hasVirtualSize(version) ? { VirtualSize: image.size } : {}),
    GraphDriver: { Data: image.graphDriver.data, Name: image.graphDriver.name },
    RootFS: {
      Type: 'layers',
      ...(document.rootfs.diff_ids.length > 0 && { Layers: document.rootfs.diff_ids }),
    },
    Metadata: { LastTagTime: record.lastTaggedAt === '' ? never : record.lastTaggedAt },
    ...(hasImageDescriptor(version) && image.descriptor !== undefined
      ? { Descriptor: image.descriptor }
      : {}),
    ...(image.manifests === undefined ? {} : { Manifests: image.manifests.map(encodeManifest) }),
  };
}

export function encodeHistory(item: HistoryItem): object {
  return {
    Comment: item.comment,
    Created: item.created,
    CreatedBy: item.createdBy,
    Id: item.id,
    Size: item.size,
    Tags: item.tags.length === 0 ? null : item.tags,
  };
}

export function encodeRemoved(item: RemovedItem): object {
  return 'untagged' in item ? { Untagged: item.untagged } : { Deleted: item.deleted };
}
