/** Which sysctls a container may set: those that its own namespaces have, in runc's words. Pure. */

import { invalid } from '../../core/errors.ts';
import type { HostConfig } from '../../core/model/container-spec.ts';

const ofIpc = new Set([
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
]);

/** Checked here and not left to the runtime: a sysctl that is not namespaced would be the host's. `invalid` otherwise. */
export function checkSysctls(host: HostConfig): void {
  for (const given of Object.keys(host.Sysctls ?? {})) {
    // `net/ipv4/ip_forward` is the same for the kernel; anything else in a path is not.
    const name = given.replaceAll('/', '.');
    if (!/^[\w.-]+$/.test(name) || name.includes('..'))
      throw invalid(`invalid sysctl name ${JSON.stringify(given)}`);
    const ipc = ofIpc.has(name) || name.startsWith('fs.mqueue.');
    if (ipc) {
      if (host.IpcMode !== 'host') continue;
      throw invalid(`sysctl "${given}" is not allowed in the hosts ipc namespace`);
    }
    if (name.startsWith('net.')) {
      if (host.NetworkMode !== 'host') continue;
      throw invalid(`sysctl "${given}" not allowed in host network namespace`);
    }
    if (name === 'kernel.domainname' && host.UTSMode !== 'host') continue;
    throw invalid(`sysctl "${given}" is not in a separate kernel namespace`);
  }
}
