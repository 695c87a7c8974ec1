/** `-v`, `--mount` and `--tmpfs`. */
import path from 'node:path';
import { parseBool, parseBytes, parseCsv } from '../flags/values.ts';

export interface Mount {
  Type: string;
  Source?: string;
  Target?: string;
  ReadOnly?: boolean;
  Consistency?: string;
  BindOptions?: Record<string, unknown>;
  VolumeOptions?: Record<string, unknown> & {
    Labels?: Record<string, string>;
    DriverConfig?: { Name?: string; Options?: Record<string, string> };
  };
  TmpfsOptions?: Record<string, unknown>;
  ImageOptions?: Record<string, unknown>;
}

const isHere = (source: string): boolean =>
  source === '.' || source.startsWith('./') || source === '..' || source.startsWith('../');
const absolute = (source: string): string => (isHere(source) ? path.resolve(source) : source);

function pair(value: string): [string, string] {
  const at = value.indexOf('=');
  return at < 0 ? [value, ''] : [value.slice(0, at), value.slice(at + 1)];
}

type Setter = (mount: Mount, value: string) => void;

const bind =
  (key: string, parse: (value: string) => unknown): Setter =>
  (mount, value) => {
    mount.BindOptions = { ...mount.BindOptions, [key]: parse(value) };
  };
const volume =
  (key: string, parse: (value: string) => unknown): Setter =>
  (mount, value) => {
    mount.VolumeOptions = { ...mount.VolumeOptions, [key]: parse(value) };
  };
const setSource: Setter = (mount, value) => {
  mount.Source = absolute(value);
};
const setTarget: Setter = (mount, value) => {
  mount.Target = value;
};
const setReadOnly: Setter = (mount, value) => {
  mount.ReadOnly = parseBool(value);
};
const text = (value: string): string => value;

const FIELDS: Readonly<Record<string, Setter>> = {
  type: (mount, value) => {
    mount.Type = value.toLowerCase();
  },
  source: setSource,
  src: setSource,
  target: setTarget,
  dst: setTarget,
  destination: setTarget,
  readonly: setReadOnly,
  ro: setReadOnly,
  consistency: (mount, value) => {
    mount.Consistency = value.toLowerCase();
  },
  'bind-propagation': bind('Propagation', (value) => value.toLowerCase()),
  'bind-nonrecursive': bind('NonRecursive', parseBool),
  'bind-create-src': bind('CreateMountpoint', parseBool),
  'bind-recursive': (mount, value) => {
    const options: Readonly<Record<string, Record<string, boolean>>> = {
      enabled: {},
      disabled: { NonRecursive: true },
      writable: { ReadOnlyNonRecursive: true },
      readonly: { ReadOnlyForceRecursive: true },
    };
    const chosen = options[value];
    if (chosen === undefined) {
      throw new Error(
        `invalid value for bind-recursive: ${value} (must be "enabled", "disabled", "writable", or "readonly")`,
      );
    }
    mount.BindOptions = { ...mount.BindOptions, ...chosen };
  },
  'volume-nocopy': volume('NoCopy', parseBool),
  'volume-subpath': volume('Subpath', text),
  'volume-label': (mount, value) => {
    const [name, content] = pair(value);
    mount.VolumeOptions = {
      ...mount.VolumeOptions,
      Labels: { ...mount.VolumeOptions?.Labels, [name]: content },
    };
  },
  'volume-driver': (mount, value) => {
    mount.VolumeOptions = {
      ...mount.VolumeOptions,
      DriverConfig: { ...mount.VolumeOptions?.DriverConfig, Name: value },
    };
  },
  'volume-opt': (mount, value) => {
    const [name, content] = pair(value);
    const driver = mount.VolumeOptions?.DriverConfig;
    mount.VolumeOptions = {
      ...mount.VolumeOptions,
      DriverConfig: { ...driver, Options: { ...driver?.Options, [name]: content } },
    };
  },
  'tmpfs-size': (mount, value) => {
    mount.TmpfsOptions = { ...mount.TmpfsOptions, SizeBytes: parseBytes(value) };
  },
  'tmpfs-mode': (mount, value) => {
    if (!/^[0-7]+$/.test(value)) throw new Error(`invalid value for tmpfs-mode: ${value}`);
    mount.TmpfsOptions = { ...mount.TmpfsOptions, Mode: Number.parseInt(value, 8) };
  },
  'image-subpath': (mount, value) => {
    mount.ImageOptions = { ...mount.ImageOptions, Subpath: value };
  },
};

const SWITCHES = new Set(['readonly', 'ro', 'volume-nocopy', 'bind-nonrecursive', 'bind-create-src']);

/** Reads one `--mount`. Throws an Error in docker's words. */
export function parseMount(spec: string): Mount {
  const mount: Mount = { Type: 'volume' };
  for (const field of parseCsv(spec)) {
    const [name, value] = pair(field);
    const key = name.trim().toLowerCase();
    const bare = !field.includes('=');
    if (bare && !SWITCHES.has(key)) throw new Error(`invalid field '${field}' must be a key=value pair`);
    const set = FIELDS[key];
    if (set === undefined) throw new Error(`unexpected key '${key}' in '${field}'`);
    if (bare) set(mount, 'true');
    else if (SWITCHES.has(key) && !/^(1|t|true|0|f|false)$/i.test(value))
      throw new Error(`invalid value for ${key}: ${value}`);
    else set(mount, value);
  }
  checkMount(mount);
  return mount;
}

function checkMount(mount: Mount): void {
  if ((mount.Target ?? '') === '') throw new Error('target is required');
  const only: readonly (readonly [keyof Mount, string, string])[] = [
    ['VolumeOptions', 'volume', 'volume-*'],
    ['BindOptions', 'bind', 'bind-*'],
    ['TmpfsOptions', 'tmpfs', 'tmpfs-*'],
    ['ImageOptions', 'image', 'image-*'],
  ];
  for (const [key, type, options] of only) {
    if (mount[key] !== undefined && mount.Type !== type) {
      throw new Error(`cannot mix '${options}' options with mount type '${mount.Type}'`);
    }
  }
}

/** Splits the `-v` texts into binds and anonymous volumes; a source that begins with a dot is made absolute. */
export function splitVolumes(specs: readonly string[]): { binds: string[]; volumes: Record<string, object> } {
  const binds: string[] = [];
  const volumes: Record<string, object> = {};
  for (const spec of specs) {
    if (spec === '') throw new Error('invalid empty volume spec');
    const colon = spec.indexOf(':');
    if (colon < 0) volumes[spec] = {};
    else binds.push(absolute(spec.slice(0, colon)) + spec.slice(colon));
  }
  return { binds, volumes };
}

/** `--tmpfs /run:size=64m`. */
export function parseTmpfs(specs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    specs.map((spec) => {
      const colon = spec.indexOf(':');
      return colon < 0 ? [spec, ''] : [spec.slice(0, colon), spec.slice(colon + 1)];
    }),
  );
}
