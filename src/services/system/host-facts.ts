/** Facts about the host, read once from /proc, /sys and /etc. */

import { existsSync, readFileSync } from 'node:fs';
import { arch, cpus, hostname, machine, release, totalmem } from 'node:os';
import type { HostFacts, HostLimits } from './types.ts';

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Keys of /etc/os-release, quotes removed. */
export function parseOsRelease(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    if (equals <= 0 || line.startsWith('#')) continue;
    const value = line.slice(equals + 1).trim();
    const quoted = /^(["'])(.*)\1$/.exec(value);
    values.set(line.slice(0, equals), quoted?.[2] ?? value);
  }
  return values;
}

const goArchitectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

function limitsV1(): HostLimits {
  const has = (file: string): boolean => existsSync(`/sys/fs/cgroup/${file}`);
  return {
    memory: has('memory/memory.limit_in_bytes') || has('memory/memory.stat'),
    swap: has('memory/memory.memsw.limit_in_bytes'),
    cpuCfs: has('cpu/cpu.cfs_quota_us'),
    cpuShares: has('cpu/cpu.shares'),
    cpuset: has('cpuset/cpuset.cpus'),
    pids: has('pids/cgroup.procs'),
    oomKillDisable: has('memory/memory.oom_control'),
    blkio: has('blkio/cgroup.procs'),
  };
}

function limitsV2(): HostLimits {
  const controllers = new Set(read('/sys/fs/cgroup/cgroup.controllers').trim().split(' '));
  return {
    memory: controllers.has('memory'),
    swap: controllers.has('memory') && read('/proc/swaps') !== '',
    cpuCfs: controllers.has('cpu'),
    cpuShares: controllers.has('cpu'),
    cpuset: controllers.has('cpuset'),
    pids: controllers.has('pids'),
    // cgroup v2 has no such switch.
    oomKillDisable: false,
    blkio: controllers.has('io'),
  };
}

function securityOptions(cgroupVersion: 1 | 2, userNamespaces: boolean): string[] {
  const options: string[] = [];
  if (read('/sys/module/apparmor/parameters/enabled').startsWith('Y')) options.push('name=apparmor');
  if (/^Seccomp:/m.test(read('/proc/self/status'))) options.push('name=seccomp,profile=builtin');
  if (existsSync('/sys/fs/selinux/enforce')) options.push('name=selinux');
  if (userNamespaces) options.push('name=userns');
  if (cgroupVersion === 2 || existsSync('/proc/self/ns/cgroup')) options.push('name=cgroupns');
  return options;
}

export function readHostFacts(cgroupVersion: 1 | 2, userNamespaces = false): HostFacts {
  const osRelease = parseOsRelease(read('/etc/os-release') || read('/usr/lib/os-release'));
  return {
    kernelVersion: release(),
    operatingSystem: osRelease.get('PRETTY_NAME') ?? osRelease.get('NAME') ?? 'Linux',
    osVersion: osRelease.get('VERSION_ID') ?? '',
    machine: machine(),
    architecture: goArchitectures[arch()] ?? arch(),
    hostname: hostname(),
    cpus: cpus().length,
    memory: totalmem(),
    ipv4Forwarding: read('/proc/sys/net/ipv4/ip_forward').trim() === '1',
    bridgeNfIptables: read('/proc/sys/net/bridge/bridge-nf-call-iptables').trim() === '1',
    bridgeNfIp6tables: read('/proc/sys/net/bridge/bridge-nf-call-ip6tables').trim() === '1',
    limits: cgroupVersion === 2 ? limitsV2() : limitsV1(),
    securityOptions: securityOptions(cgroupVersion, userNamespaces),
  };
}

/** What a person should know about this host, in Docker's words where it has them. */
export function hostWarnings(host: HostFacts, cgroupVersion: 1 | 2): string[] {
  const { limits } = host;
  const missing: readonly (readonly [boolean, string])[] = [
    [limits.memory, 'No memory limit support'],
    [limits.swap, 'No swap limit support'],
    [limits.cpuCfs, 'No cpu cfs quota support'],
    [limits.cpuShares, 'No cpu shares support'],
    [limits.cpuset, 'No cpuset support'],
    [limits.pids, 'No pids limit support'],
    [limits.oomKillDisable || cgroupVersion === 2, 'No oom kill disable support'],
    [limits.blkio, 'No blkio throttle support'],
    [host.ipv4Forwarding, 'IPv4 forwarding is disabled'],
  ];
  return missing.filter(([present]) => !present).map(([, words]) => `WARNING: ${words}`);
}
