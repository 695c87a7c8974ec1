/**
 * Manifest lists that are being put together: `manifests/<list>/<image>` in the folder of the client's configuration, as
 * docker keeps them. Nothing of it is known to the engine until it is pushed.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { RawManifest } from '../client/index.ts';
import type { ConfigFile } from './config.ts';
import { CliError } from './exit.ts';

export interface Entry {
  /** Full name with its tag or digest. */
  readonly ref: string;
  readonly descriptor: {
    readonly mediaType: string;
    readonly digest: string;
    readonly size: number;
    readonly platform: {
      readonly architecture: string;
      readonly os: string;
      readonly 'os.version'?: string;
      readonly 'os.features'?: readonly string[];
      readonly variant?: string;
    };
  };
  /** The image's own manifest, base64. */
  readonly content: string;
}

/** No name has these characters beside the separators, so each name has one file of its own. */
const fileOf = (name: string): string => name.replaceAll('/', '_').replaceAll(':', '-').replaceAll('@', '+');

const folderOf = (config: ConfigFile, list: string): string =>
  path.join(path.dirname(config.file), 'manifests', fileOf(list));

/** The entries of a list; undefined when there is no such list here. */
export function readList(config: ConfigFile, list: string): Entry[] | undefined {
  const folder = folderOf(config, list);
  try {
    const names = fs.readdirSync(folder).sort();
    return names.map((name) => JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8')) as Entry);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CliError(`${folder}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function writeEntry(config: ConfigFile, list: string, entry: Entry): void {
  const folder = folderOf(config, list);
  fs.mkdirSync(folder, { recursive: true, mode: 0o755 });
  const file = path.join(folder, fileOf(entry.ref));
  fs.writeFileSync(`${file}.tmp`, JSON.stringify(entry), { mode: 0o644 });
  fs.renameSync(`${file}.tmp`, file);
}

export function removeList(config: ConfigFile, list: string): void {
  fs.rmSync(folderOf(config, list), { recursive: true, force: true });
}

/** An entry for an image as a registry has it. */
export function entryOf(ref: string, found: RawManifest): Entry {
  const { Descriptor, Content, Platform } = found;
  if (Platform === undefined)
    throw new CliError(`cannot use a manifest list or an artifact as an image: ${ref}`);
  return { ref, descriptor: { ...Descriptor, platform: Platform }, content: Content };
}

const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json';
const ociIndex = 'application/vnd.oci.image.index.v1+json';

/** The list as it is pushed: an OCI index as soon as one of its images is an OCI one. */
export function documentOf(entries: readonly Entry[]): {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly manifests: readonly Entry['descriptor'][];
} {
  const isOci = entries.some(({ descriptor }) => descriptor.mediaType.startsWith('application/vnd.oci.'));
  const manifests = entries.map(({ descriptor }) => descriptor);
  return { schemaVersion: 2, mediaType: isOci ? ociIndex : dockerList, manifests };
}
