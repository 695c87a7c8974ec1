import { readdirSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { deviceNumbers } from '../../core/device-numbers.ts';
import { invalid } from '../../core/errors.ts';
import type { DeviceMapping, HostConfig } from '../../core/model/container-spec.ts';

/** A device node in the OCI runtime spec's form. */
export interface DeviceNode {
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface DeviceRule {
  readonly allow: boolean;
  readonly type?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly access: string;
}

function nodeAt(hostPath: string, path: string): DeviceNode | undefined {
  const stat = statSync(hostPath, { throwIfNoEntry: false });
  if (stat === undefined || !(stat.isCharacterDevice() || stat.isBlockDevice())) return undefined;
  return {
    path,
    type: stat.isCharacterDevice() ? 'c' : 'b',
    ...deviceNumbers(stat.rdev),
    fileMode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
  };
}

// What /dev holds besides devices of the machine: the runtime makes these anew, or they belong to the host's own session.
const skipped = new Set(['pts', 'shm', 'fd', 'mqueue', 'console', '.lxc', '.lxd-mounts', '.udev']);

/** Every device below a host directory. */
function devicesBelow(hostPath: string, path: string): DeviceNode[] {
  const found: DeviceNode[] = [];
  for (const entry of readdirSync(hostPath, { withFileTypes: true })) {
    if (skipped.has(entry.name) || entry.isSymbolicLink()) continue;
    const below = posix.join(hostPath, entry.name);
    const inside = posix.join(path, entry.name);
    if (entry.isDirectory()) found.push(...devicesBelow(below, inside));
    else {
      const node = nodeAt(below, inside);
      if (node !== undefined) found.push(node);
    }
  }
  return found;
}

/** A device node of the host; `invalid` when the path is none. */
export function hostDevice(path: string): DeviceNode {
  const node = nodeAt(path, path);
  if (node !== undefined) return node;
  const why =
    statSync(path, { throwIfNoEntry: false }) === undefined
      ? 'no such file or directory'
      : 'not a device node';
  throw invalid(`error gathering device information while adding custom device "${path}": ${why}`);
}

function mapped(mapping: DeviceMapping): DeviceNode[] {
  const host = mapping.PathOnHost ?? '';
  const inside =
    mapping.PathInContainer === undefined || mapping.PathInContainer === '' ? host : mapping.PathInContainer;
  const stat = statSync(host, { throwIfNoEntry: false });
  if (stat?.isDirectory() === true) return devicesBelow(host, inside);
  return [{ ...hostDevice(host), path: inside }];
}

const deny: DeviceRule = { allow: false, access: 'rwm' };
const allowDevice = (
  type: string,
  major: number | undefined,
  minor: number | undefined,
  access = 'rwm',
): DeviceRule => ({
  allow: true,
  type,
  ...(major === undefined ? {} : { major }),
  ...(minor === undefined ? {} : { minor }),
  access,
});

/** null, zero, full, random, urandom, tty, console, ptmx, pts; making any node is allowed, opening it is not. */
const defaultRules: readonly DeviceRule[] = [
  deny,
  allowDevice('c', undefined, undefined, 'm'),
  allowDevice('b', undefined, undefined, 'm'),
  allowDevice('c', 1, 3),
  allowDevice('c', 1, 5),
  allowDevice('c', 1, 7),
  allowDevice('c', 1, 8),
  allowDevice('c', 1, 9),
  allowDevice('c', 5, 0),
  allowDevice('c', 5, 1),
  allowDevice('c', 5, 2),
  allowDevice('c', 136, undefined),
];

const rulePattern = /^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$/;

/** A rule as written for `--device-cgroup-rule`: `c 1:* rwm`. */
export function parseDeviceRule(text: string): DeviceRule {
  const match = rulePattern.exec(text);
  if (match === null) throw invalid(`invalid device cgroup rule format: '${text}'`);
  const [, type = 'a', major = '*', minor = '*', access = 'rwm'] = match;
  const number = (part: string): number | undefined => (part === '*' ? undefined : Number(part));
  return allowDevice(type, number(major), number(minor), access);
}

export function checkDeviceMode(mapping: DeviceMapping): void {
  const mode = mapping.CgroupPermissions ?? 'rwm';
  if (mode !== '' && !/^[rwm]{1,3}$/.test(mode)) throw invalid(`invalid device mode: ${mode}`);
}

/** Nodes to make and rules to set. Reads the host's /dev where devices are asked for. */
export function containerDevices(host: HostConfig): {
  readonly nodes: readonly DeviceNode[];
  readonly rules: readonly DeviceRule[];
} {
  if (host.Privileged === true) {
    return { nodes: devicesBelow('/dev', '/dev'), rules: [{ allow: true, access: 'rwm' }] };
  }
  const rules = [...defaultRules];
  const nodes: DeviceNode[] = [];
  for (const mapping of host.Devices ?? []) {
    const access =
      mapping.CgroupPermissions === undefined || mapping.CgroupPermissions === ''
        ? 'rwm'
        : mapping.CgroupPermissions;
    for (const node of mapped(mapping)) {
      nodes.push(node);
      rules.push(allowDevice(node.type, node.major, node.minor, access));
    }
  }
  for (const rule of host.DeviceCgroupRules ?? []) rules.push(parseDeviceRule(rule));
  return { nodes, rules };
}
