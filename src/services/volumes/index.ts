/**
 * Volumes: what `docker volume` does, and what containers need of them (made on demand, filled from the image,
 * mounted while in use). The API's routes and the container service call it.
 */

export { openVolumes, type VolumeServiceDeps } from './service.ts';
export type * from './types.ts';
