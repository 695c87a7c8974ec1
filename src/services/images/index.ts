/**
 * Images: what `docker pull, load, import, save, push, images, tag, rmi, history` do. An image is one record; its
 * layers and blobs are found from it by marking. The API's routes, the container service and the builder call it;
 * the composition root hands it the stores, the storage driver and the registry.
 */

export { applyChanges } from './changes.ts';
export { openImages } from './service.ts';
export { readTrustPolicy } from './trust-policy.ts';
export type { ImageServiceDeps } from './deps.ts';
export type * from './types.ts';
