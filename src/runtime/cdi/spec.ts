/**
 * A CDI specification: what a vendor says must be added to a container so that it can use a device. Parsed from unknown data
 * into exactly these fields; what is not of the right form is refused with its place. Pure.
 * Source: the Container Device Interface specification, versions 0.3 to 1.0 (cncf-tags/container-device-interface, SPEC.md).
 */

export interface CdiDeviceNode {
  /** In the container. */
  readonly path: string;
  /** On the host; the same as `path` when absent. */
  readonly hostPath?: string;
  readonly type?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  /** Of the cgroup rule: some of `rwm`. */
  readonly permissions?: string;
  readonly uid?: number;
  readonly gid?: number;
}

export interface CdiMount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly type?: string;
  readonly options: readonly string[];
}

/** The names that the OCI runtime spec gives to hooks. */
export const hookNames = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const;
export type HookName = (typeof hookNames)[number];

export interface CdiHook {
  readonly hookName: HookName;
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}

export interface CdiEdits {
  readonly env: readonly string[];
  readonly deviceNodes: readonly CdiDeviceNode[];
  readonly mounts: readonly CdiMount[];
  readonly hooks: readonly CdiHook[];
  readonly additionalGids: readonly number[];
}

export interface CdiSpec {
  /** `vendor.com/class`. */
  readonly kind: string;
  /** By the device's name. */
  readonly devices: ReadonlyMap<string, CdiEdits>;
  /** For every container that gets one of the devices, once. */
  readonly edits: CdiEdits;
}

type Fields = Readonly<Record<string, unknown>>;

class Reader {
  readonly #place: string;

  constructor(place: string) {
    this.#place = place;
  }

  bad(what: string): Error {
    return new Error(`${this.#place}: ${what}`);
  }

  at(place: string): Reader {
    return new Reader(`${this.#place}.${place}`);
  }

  fields(value: unknown): Fields {
    if (value === undefined || value === null) return {};
    if (typeof value !== 'object' || Array.isArray(value)) throw this.bad('is not an object');
    return value as Fields;
  }

  list(value: unknown): readonly unknown[] {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) throw this.bad('is not a list');
    return value as readonly unknown[];
  }

  text(value: unknown): string {
    if (typeof value !== 'string' || value === '') throw this.bad('is missing, or not a text');
    if (value.includes('\0')) throw this.bad('holds a NUL');
    return value;
  }

  path(value: unknown): string {
    const text = this.text(value);
    if (!text.startsWith('/')) throw this.bad(`${text} is not an absolute path`);
    return text;
  }

  number(value: unknown): number {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw this.bad('is not a number');
    return value;
  }

  texts(value: unknown): readonly string[] {
    return this.list(value).map((item, i) => this.at(String(i)).text(item));
  }
}

/** A field that is there only when it was given. */
function maybe<K extends string, V>(
  fields: Fields,
  key: K,
  read: (value: unknown) => V,
): Partial<Record<K, V>> {
  const value = fields[key];
  return value === undefined || value === null ? {} : ({ [key]: read(value) } as Record<K, V>);
}

function parseNode(reader: Reader, value: unknown): CdiDeviceNode {
  const fields = reader.fields(value);
  const number = (key: string): object => maybe(fields, key, (item) => reader.at(key).number(item));
  const node = {
    path: reader.at('path').path(fields['path']),
    ...maybe(fields, 'hostPath', (item) => reader.at('hostPath').path(item)),
    ...maybe(fields, 'type', (item) => reader.at('type').text(item)),
    ...number('major'),
    ...number('minor'),
    ...number('fileMode'),
    ...maybe(fields, 'permissions', (item) => reader.at('permissions').text(item)),
    ...number('uid'),
    ...number('gid'),
  };
  if (node.type !== undefined && !['b', 'c', 'u', 'p'].includes(node.type)) {
    throw reader.bad(`unknown type of device ${node.type}`);
  }
  if (node.permissions !== undefined && !/^[rwm]{1,3}$/.test(node.permissions)) {
    throw reader.bad(`unknown permissions ${node.permissions}`);
  }
  return node;
}

function parseMount(reader: Reader, value: unknown): CdiMount {
  const fields = reader.fields(value);
  return {
    hostPath: reader.at('hostPath').text(fields['hostPath']),
    containerPath: reader.at('containerPath').path(fields['containerPath']),
    ...maybe(fields, 'type', (item) => reader.at('type').text(item)),
    options: reader.at('options').texts(fields['options']),
  };
}

function parseHook(reader: Reader, value: unknown): CdiHook {
  const fields = reader.fields(value);
  const name = reader.at('hookName').text(fields['hookName']);
  const hookName = hookNames.find((known) => known === name);
  if (hookName === undefined) throw reader.bad(`unknown hook ${name}`);
  return {
    hookName,
    path: reader.at('path').path(fields['path']),
    args: reader.at('args').texts(fields['args']),
    env: reader.at('env').texts(fields['env']),
    ...maybe(fields, 'timeout', (item) => reader.at('timeout').number(item)),
  };
}

function parseEdits(reader: Reader, value: unknown): CdiEdits {
  const fields = reader.fields(value);
  const each = <T>(key: string, parse: (reader: Reader, item: unknown) => T): readonly T[] =>
    reader
      .at(key)
      .list(fields[key])
      .map((item, i) => parse(reader.at(`${key}.${i}`), item));
  const env = reader.at('env').texts(fields['env']);
  if (env.some((variable) => !variable.includes('='))) throw reader.at('env').bad('holds no NAME=VALUE');
  return {
    env,
    deviceNodes: each('deviceNodes', parseNode),
    mounts: each('mounts', parseMount),
    hooks: each('hooks', parseHook),
    additionalGids: each('additionalGids', (one, item) => one.number(item)),
  };
}

const kindForm = /^[A-Za-z]([A-Za-z0-9._-]*[A-Za-z0-9])?\/[A-Za-z]([A-Za-z0-9_-]*[A-Za-z0-9])?$/;
const nameForm = /^[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?$/;

/** `vendor.com/class=name`. */
export function isQualifiedName(text: string): boolean {
  const at = text.indexOf('=');
  return at > 0 && kindForm.test(text.slice(0, at)) && nameForm.test(text.slice(at + 1));
}

/** Throws an Error that says where in `file` what is wrong. */
export function parseCdiSpec(value: unknown, file: string): CdiSpec {
  const reader = new Reader(file);
  const fields = reader.fields(value);
  const version = reader.at('cdiVersion').text(fields['cdiVersion']);
  if (!/^v?(0\.[3-9]|1)\.\d+$/.test(version)) throw reader.bad(`unknown cdiVersion ${version}`);
  const kind = reader.at('kind').text(fields['kind']);
  if (!kindForm.test(kind)) throw reader.bad(`invalid kind ${kind}`);
  const devices = new Map<string, CdiEdits>();
  for (const [i, item] of reader.at('devices').list(fields['devices']).entries()) {
    const at = reader.at(`devices.${i}`);
    const device = at.fields(item);
    // A name that is all digits is a number for YAML.
    const name = at
      .at('name')
      .text(typeof device['name'] === 'number' ? String(device['name']) : device['name']);
    if (!nameForm.test(name)) throw at.bad(`invalid name ${name}`);
    if (devices.has(name)) throw at.bad(`the name ${name} is there twice`);
    devices.set(name, parseEdits(at.at('containerEdits'), device['containerEdits']));
  }
  if (devices.size === 0) throw reader.bad('no devices');
  return { kind, devices, edits: parseEdits(reader.at('containerEdits'), fields['containerEdits']) };
}
