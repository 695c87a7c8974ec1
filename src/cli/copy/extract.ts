/**
 * Unpacks what a container sent onto the host. The stream is not to be trusted: no entry may leave the target, neither
 * by `..` nor through a symlink that came before it.
 */
import fs from 'node:fs';
import path from 'node:path';
import { CliError } from '../exit.ts';
import { readTar, type TarEntry, type TarItem } from './tar-read.ts';

export interface ExtractInput {
  readonly tar: AsyncIterable<Uint8Array>;
  /** Name of the top entry in the stream. */
  readonly from: string;
  /** Directory that gets the top entry, and its name there; '' puts the top entry's children into the directory. */
  readonly directory: string;
  readonly name: string;
  readonly keepOwner: boolean;
}

/** The entry's place below the target, or undefined for the top entry of a copy of contents. */
function placeOf(entryName: string, { from, name }: ExtractInput): string | undefined {
  const parts = entryName.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new CliError(`invalid path in archive: ${entryName}`);
  const below = parts[0] === from || from === '' ? parts.slice(from === '' ? 0 : 1) : parts;
  const all = name === '' ? below : [name, ...below];
  return all.length === 0 ? undefined : all.join('/');
}

/** Throws when the parent of `target` is reached through a symlink. */
async function checkParent(root: string, target: string): Promise<void> {
  const parent = path.dirname(target);
  await fs.promises.mkdir(parent, { recursive: true });
  const real = await fs.promises.realpath(parent);
  const inside = real === root || real.startsWith(root === '/' ? '/' : `${root}/`);
  if (!inside || real !== parent) throw new CliError(`refusing to write through a symbolic link: ${target}`);
}

async function writeFile(target: string, item: TarItem): Promise<void> {
  await fs.promises.rm(target, { force: true });
  const flags = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_NOFOLLOW;
  const handle = await fs.promises.open(target, flags, 0o600);
  try {
    for await (const chunk of item.content) await handle.writeFile(chunk);
    await handle.chmod(item.entry.mode);
    await handle.utimes(item.entry.mtime, item.entry.mtime);
  } finally {
    await handle.close();
  }
}

async function makeDirectory(target: string, entry: TarEntry): Promise<void> {
  const before = await fs.promises.lstat(target).catch(() => undefined);
  if (before !== undefined && !before.isDirectory())
    throw new CliError(`cannot overwrite non-directory ${JSON.stringify(target)} with directory`);
  if (before === undefined) await fs.promises.mkdir(target);
  await fs.promises.chmod(target, entry.mode);
}

async function place(input: ExtractInput, root: string, target: string, item: TarItem): Promise<void> {
  const { entry } = item;
  await checkParent(root, target);
  const existing = await fs.promises.lstat(target).catch(() => undefined);
  if (existing?.isDirectory() === true && entry.type !== 'directory') {
    throw new CliError(`cannot overwrite directory ${JSON.stringify(target)} with non-directory`);
  }
  switch (entry.type) {
    case 'directory':
      await makeDirectory(target, entry);
      break;
    case 'file':
      await writeFile(target, item);
      break;
    case 'symlink':
      await fs.promises.rm(target, { force: true });
      await fs.promises.symlink(entry.linkName, target);
      break;
    case 'hardlink': {
      const linked = placeOf(entry.linkName, input);
      const source = path.join(root, linked ?? '');
      await checkParent(root, source);
      await fs.promises.rm(target, { force: true });
      await fs.promises.link(source, target);
      break;
    }
    case 'other':
      return;
  }
  if (input.keepOwner) await fs.promises.lchown(target, entry.uid, entry.gid);
}

/** Answers the bytes of all files. */
export async function extract(input: ExtractInput): Promise<void> {
  const root = await fs.promises.realpath(input.directory);
  for await (const item of readTar(input.tar)) {
    const below = placeOf(item.entry.name, input);
    if (below !== undefined) await place(input, root, path.join(root, below), item);
  }
}
