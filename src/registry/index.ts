/**
 * Registries over the OCI distribution protocol: Docker Hub, private ones, loopback ones without TLS. The image
 * service calls it through the `Registry` port; it verifies manifests, and leaves blobs to whoever stores them.
 */

export { createRegistry, type RegistryClient, type RegistryOptions } from './client.ts';
export { createRemoteFiles } from './remote-files.ts';
