/** All operations: those of the Swagger file and the engine's own, in the same form (`id method path query...`). */

import { operations as docker } from './generated/operations.ts';
import type { OperationId } from './generated/types.ts';

/** Beyond Docker's API, under `/slipway/`. */
export type OwnOperationId =
  | 'SlipwayRepair'
  | 'SlipwayImageLayers'
  | 'SlipwayImageCollect'
  | 'SlipwayContainerPorts'
  | 'SlipwayNetworkExposure'
  | 'SlipwayNetworkTrace'
  | 'ContainerCheckpointList'
  | 'ContainerCheckpointCreate'
  | 'ContainerCheckpointDelete'
  | 'SlipwayImageCopy'
  | 'SlipwayManifestInspect'
  | 'SlipwayManifestPush';

const own: readonly string[] = [
  'SlipwayImageCopy POST /slipway/images/copy from to platform',
  'SlipwayManifestInspect GET /slipway/manifests name',
  'SlipwayManifestPush PUT /slipway/manifests name',
  'SlipwayRepair POST /slipway/system/repair dryRun:b',
  'SlipwayImageCollect POST /slipway/images/collect dryRun:b all:b',
  'SlipwayImageLayers GET /slipway/images/{name}/layers platform files:b',
  'SlipwayContainerPorts POST /slipway/containers/{name}/ports',
  'SlipwayNetworkExposure GET /slipway/networks/exposure',
  'SlipwayNetworkTrace GET /slipway/networks/trace source destination',
  // Docker's, experimental and therefore in no Swagger file.
  'ContainerCheckpointList GET /containers/{name}/checkpoints dir',
  'ContainerCheckpointCreate POST /containers/{name}/checkpoints',
  'ContainerCheckpointDelete DELETE /containers/{name}/checkpoints/{checkpoint} dir',
];

export type AnyOperationId = OperationId | OwnOperationId;

export const operations: readonly string[] = [...docker, ...own];

/** Go types of bodies that no Swagger file describes, in the form of the generated ones. */
export const ownBodies: Readonly<Record<string, string>> = {
  ContainerCheckpointCreate: 'checkpoint.CreateOptions',
};

export const ownStructs: Readonly<Record<string, string>> = {
  'checkpoint.CreateOptions': 'CheckpointID:string CheckpointDir:string Exit:bool',
};
