/** Puts what CDI devices need into an OCI runtime configuration. Pure but for host devices whose numbers are looked up. */

import type { CdiDevice } from './registry.ts';
import { hookNames, type CdiDeviceNode, type CdiEdits, type CdiHook, type CdiMount } from './spec.ts';

/** Kind, numbers and owner of a host device. */
export interface HostDevice {
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

/** `invalid` when the path is no device. */
export type LookUp = (path: string) => HostDevice;

/** The parts of config.json that devices change. */
export interface EditableSpec {
  readonly process: {
    readonly env: readonly string[];
    readonly user: { readonly additionalGids?: readonly number[] };
  };
  readonly mounts: readonly object[];
  readonly hooks?: Readonly<Record<string, readonly object[]>>;
  readonly linux: {
    readonly devices?: readonly object[];
    readonly resources: { readonly devices: readonly object[] };
  };
}

const nameOf = (variable: string): string => variable.slice(0, variable.indexOf('='));

/** A device's variable takes the place of one with the same name. */
function mergeEnv(env: readonly string[], more: readonly string[]): readonly string[] {
  const all = new Map(env.map((variable) => [nameOf(variable), variable]));
  for (const variable of more) all.set(nameOf(variable), variable);
  return [...all.values()];
}

function nodeOf(node: CdiDeviceNode, lookUp: LookUp): { node: object; rule: object } {
  const complete = node.type !== undefined && node.major !== undefined && node.minor !== undefined;
  const host = complete && node.hostPath === undefined ? undefined : lookUp(node.hostPath ?? node.path);
  const type = node.type ?? host?.type;
  const numbers = { major: node.major ?? host?.major, minor: node.minor ?? host?.minor };
  const fileMode = node.fileMode ?? host?.fileMode;
  return {
    node: {
      path: node.path,
      type,
      ...numbers,
      ...(fileMode === undefined ? {} : { fileMode: fileMode & 0o7777 }),
      uid: node.uid ?? host?.uid ?? 0,
      gid: node.gid ?? host?.gid ?? 0,
    },
    rule: { allow: true, type, ...numbers, access: node.permissions ?? 'rwm' },
  };
}

function mountOf(mount: CdiMount): object {
  const bound = mount.options.includes('bind') || mount.options.includes('rbind');
  const isBind = mount.type === undefined || mount.type === 'bind' || mount.type === 'none';
  return {
    destination: mount.containerPath,
    type: mount.type ?? 'bind',
    source: mount.hostPath,
    options: isBind && !bound ? ['rbind', ...mount.options] : mount.options,
  };
}

const hookOf = ({ path, args, env, timeout }: CdiHook): object => ({
  path,
  ...(args.length === 0 ? {} : { args }),
  ...(env.length === 0 ? {} : { env }),
  ...(timeout === undefined ? {} : { timeout }),
});

function applyOne<S extends EditableSpec>(spec: S, edits: CdiEdits, lookUp: LookUp): S {
  const nodes = edits.deviceNodes.map((node) => nodeOf(node, lookUp));
  const { linux, process } = spec;
  const gids = [...new Set([...(process.user.additionalGids ?? []), ...edits.additionalGids])];
  const hooks: Record<string, readonly object[]> = { ...spec.hooks };
  for (const name of hookNames) {
    const own = edits.hooks.filter((hook) => hook.hookName === name).map(hookOf);
    if (own.length > 0) hooks[name] = [...(hooks[name] ?? []), ...own];
  }
  return {
    ...spec,
    process: {
      ...process,
      env: mergeEnv(process.env, edits.env),
      user: { ...process.user, ...(gids.length === 0 ? {} : { additionalGids: gids }) },
    },
    mounts: [...spec.mounts, ...edits.mounts.map(mountOf)],
    ...(Object.keys(hooks).length === 0 ? {} : { hooks }),
    linux: {
      ...linux,
      ...(nodes.length === 0 ? {} : { devices: [...(linux.devices ?? []), ...nodes.map((one) => one.node)] }),
      resources: {
        ...linux.resources,
        devices: [...linux.resources.devices, ...nodes.map((one) => one.rule)],
      },
    },
  };
}

/** The edits of each device's specification come once, before those of its devices. */
export function applyDevices<S extends EditableSpec>(
  spec: S,
  devices: readonly CdiDevice[],
  lookUp: LookUp,
): S {
  const seen = new Set<object>();
  let edited = spec;
  for (const device of devices) {
    if (!seen.has(device.spec)) edited = applyOne(edited, device.spec.edits, lookUp);
    seen.add(device.spec);
    edited = applyOne(edited, device.edits, lookUp);
  }
  return edited;
}
