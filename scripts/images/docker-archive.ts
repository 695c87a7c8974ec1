/** Writes a folder as an image in the docker-archive format (what `docker save` writes and `load` reads). */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface ImageSettings {
  readonly Cmd?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Env?: readonly string[];
  readonly WorkingDir?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly User?: string;
}

export interface ArchiveInput {
  /** Folder that becomes the image's only layer. */
  readonly tree: string;
  /** The archive to write. */
  readonly target: string;
  /** `name:tag` */
  readonly name: string;
  readonly settings: ImageSettings;
}

/** Same input, same bytes: so the image's id does not change from run to run. */
const reproducible = [
  '--sort=name',
  '--mtime=@0',
  '--numeric-owner',
  '--format=posix',
  '--pax-option=delete=atime,delete=ctime',
];

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

export async function writeDockerArchive(input: ArchiveInput): Promise<void> {
  await mkdir(dirname(input.target), { recursive: true });
  const folder = await mkdtemp(`${input.target}.`);
  try {
    await run('tar', [...reproducible, '-C', input.tree, '-cf', join(folder, 'layer.tar'), '.']);
    const config = {
      created: '1970-01-01T00:00:00Z',
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: input.settings,
      rootfs: { type: 'layers', diff_ids: [`sha256:${await sha256(join(folder, 'layer.tar'))}`] },
      history: [{ created: '1970-01-01T00:00:00Z', created_by: 'imported from a folder' }],
    };
    const text = JSON.stringify(config);
    const id = createHash('sha256').update(text).digest('hex');
    const manifest = [{ Config: `${id}.json`, RepoTags: [input.name], Layers: ['layer.tar'] }];
    await writeFile(join(folder, `${id}.json`), text);
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
    const members = ['manifest.json', `${id}.json`, 'layer.tar'];
    await run('tar', [...reproducible, '-C', folder, '-cf', join(folder, 'archive.tar'), ...members]);
    await rename(join(folder, 'archive.tar'), input.target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
