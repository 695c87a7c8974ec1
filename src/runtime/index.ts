/**
 * Everything about OCI runtimes: the documents they read (`oci/`) and the shims that call them and hold the containers (`shim/`).
 * Built by the composition root; services see the ports only.
 */
export { createRuntime, type ConfiguredRuntime, type ShimRuntimeOptions } from './shim/index.ts';
export * from './oci/index.ts';
export { listDevices } from './cdi/index.ts';
