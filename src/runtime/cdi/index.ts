/**
 * Devices by the Container Device Interface: a vendor's files say what a container needs to use its devices, and no code of
 * the vendor is part of the engine. Called by the OCI room when a container asks for such devices.
 */

export { applyDevices, type EditableSpec, type HostDevice } from './apply.ts';
export { listDevices, readCdi, type CdiDevice, type CdiRegistry } from './registry.ts';
export { checkRequests, selectDevices } from './select.ts';
