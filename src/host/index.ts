/**
 * The only door to the kernel: processes, mounts, network namespaces, rtnetlink, nftables, cgroup facts.
 * The daemon builds one Host and injects it; slipway-net uses the light one. Encoders of nftables messages are exported
 * for the firewall, which composes them; nothing outside this room makes a system call.
 */

export { createHost, type HostOptions, type KernelHost } from './create-host.ts';
export { openUnixDatagram } from './process/unix-datagram.ts';
export type { Datagram, DatagramSource, ReadDatagram } from './network/datagrams.ts';
export { createSpareNamespace, type SpareNamespace } from './network/spare-namespace.ts';
export { unreadOutput } from './network/unread-output.ts';
export { createLightHost, type LightHost } from './light-host.ts';
export { errorCode, KernelError } from './ffi/kernel-error.ts';
export { cgroupLayout } from './cgroup/layout.ts';
export { parseMountInfo, type MountInfo } from './mount/mountinfo.ts';
export { keepFilePagesFew, releaseFilePages } from './memory/release.ts';
export { makeInPlaceFile } from './in-place.ts';
export { openProjectQuotas } from './project-quotas.ts';
export { subvolumes } from './subvolumes.ts';
export { trimHeap } from './memory/trim-heap.ts';
export { setUpCgroups, undoCgroupSetup, type CgroupSetupOptions } from './cgroup-setup.ts';
