/** `cp`. */
import fs from 'node:fs';
import path from 'node:path';
import { ApiError, type PathStat } from '../../../client/index.ts';
import { type CommandContext, type CommandModule, exactArgs } from '../../command.ts';
import { extract } from '../../copy/extract.ts';
import { localTarget, parseArgument, placeCopy, type Target } from '../../copy/paths.ts';
import { packTar } from '../../copy/tar-write.ts';
import { CliError } from '../../exit.ts';
import { writeOut } from '../../output-file.ts';
import { humanSize } from '../../render/units.ts';

/** Go's bits of `os.FileMode`. */
const MODE_DIRECTORY = 2 ** 31;
const MODE_SYMLINK = 2 ** 27;
const hasBit = (mode: number, bit: number): boolean => Math.floor(mode / bit) % 2 === 1;

/** Counts what passes, for the closing line. */
class Counter {
  bytes = 0;

  async *through(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of chunks) {
      this.bytes += chunk.length;
      yield chunk;
    }
  }
}

function told({ io, flags }: CommandContext, bytes: number, where: string): void {
  // As docker does: for people who look on, unless the flag says otherwise.
  const isQuiet = flags.changed('quiet') ? flags.bool('quiet') : !io.stdout.isTerminal;
  if (!isQuiet) io.stderr.write(`Successfully copied ${humanSize(bytes)} to ${where}\n`);
}

/** A device or a socket is no place for a copy. */
function checkLocalTarget(target: string): void {
  const stat = target === '-' ? undefined : fs.statSync(target, { throwIfNoEntry: false });
  if (stat === undefined || stat.isDirectory() || stat.isFile()) return;
  const kind = stat.isBlockDevice() || stat.isCharacterDevice() ? 'device' : 'irregular file';
  throw new CliError(
    `invalid output path: ${JSON.stringify(target)} must be a directory or a regular file: got a ${kind}`,
  );
}

async function fromContainer(
  c: CommandContext,
  container: string,
  source: string,
  target: string,
): Promise<void> {
  const { io, flags, client } = c;
  let wanted = source;
  if (flags.bool('follow-link')) {
    const stat = await client().containers.statPath(container, source);
    if (hasBit(stat.mode, MODE_SYMLINK))
      wanted = path.posix.resolve(path.posix.dirname(source), stat.linkTarget);
  }
  if (target !== '-') {
    const parent = path.dirname(path.resolve(target));
    if (!fs.existsSync(parent))
      throw new CliError(`invalid output path: directory ${JSON.stringify(parent)} does not exist`);
  }
  checkLocalTarget(target);
  const { stat, tar } = await client().containers.getArchive(container, wanted);
  if (target === '-') return writeOut(io.stdout, tar);
  const counter = new Counter();
  const place = placeCopy({
    source: wanted,
    sourceIsDirectory: hasBit(stat.mode, MODE_DIRECTORY),
    target,
    found: localTarget(target),
  });
  await extract({
    tar: counter.through(tar),
    from: stat.name === '/' ? '' : stat.name,
    ...place,
    keepOwner: flags.bool('archive'),
  });
  return told(c, counter.bytes, path.resolve(target) + (target.endsWith('/') ? '/' : ''));
}

/** The target inside, with a final symlink followed once, as docker does. */
async function remoteTarget(
  { client }: CommandContext,
  container: string,
  target: string,
): Promise<{ target: string; found: Target }> {
  const toTarget = (stat: PathStat): Target => ({
    exists: true,
    isDirectory: hasBit(stat.mode, MODE_DIRECTORY),
  });
  try {
    const stat = await client().containers.statPath(container, target);
    if (!hasBit(stat.mode, MODE_SYMLINK)) return { target, found: toTarget(stat) };
    const linked = path.posix.resolve(path.posix.dirname(target), stat.linkTarget);
    return { target: linked, found: toTarget(await client().containers.statPath(container, linked)) };
  } catch (error) {
    // 400 for a file that is named as a directory.
    if (error instanceof ApiError && (error.status === 404 || error.status === 400)) {
      // HEAD answers carry no text, so whether the container or the path is missing shows only here.
      await client().containers.inspect(container);
      return { target, found: { exists: false, isDirectory: false } };
    }
    throw error;
  }
}

async function toContainer(
  c: CommandContext,
  source: string,
  container: string,
  given: string,
): Promise<void> {
  const { io, flags, client } = c;
  const absolute = path.posix.join('/', given) + (given.endsWith('/.') ? '/.' : '');
  const { target, found } = await remoteTarget(c, container, absolute);
  const counter = new Counter();
  const send = (directory: string, tar: AsyncIterable<Uint8Array>): Promise<void> =>
    client().containers.putArchive(container, {
      path: directory,
      copyUidGid: flags.bool('archive'),
      tar: counter.through(tar),
    });
  if (source === '-') {
    if (!found.exists || !found.isDirectory)
      throw new CliError(`destination "${container}:${given}" must be a directory`);
    return send(target, io.stdin.chunks());
  }
  const follow = flags.bool('follow-link') || source.endsWith('/') || source.endsWith('/.');
  const stat = follow
    ? fs.statSync(source, { throwIfNoEntry: false })
    : fs.lstatSync(source, { throwIfNoEntry: false });
  if (stat === undefined) throw new CliError(`lstat ${path.resolve(source)}: no such file or directory`);
  const place = placeCopy({
    source: path.resolve(source) + (source.endsWith('/.') || source === '.' ? '/.' : ''),
    sourceIsDirectory: stat.isDirectory(),
    target,
    found,
  });
  await send(place.directory, packTar(source, place.name === '' ? '.' : place.name, follow));
  return told(c, counter.bytes, `${container}:${given}`);
}

export const command: CommandModule = {
  args: exactArgs(2),
  async run(c) {
    const [from = '', to = ''] = c.args;
    if (from === '') throw new CliError('source can not be empty');
    if (to === '') throw new CliError('destination can not be empty');
    const source = parseArgument(from);
    const target = parseArgument(to);
    if (source.container !== undefined && target.container !== undefined)
      throw new CliError('copying between containers is not supported');
    if (source.container !== undefined) return fromContainer(c, source.container, source.path, target.path);
    if (target.container !== undefined) return toContainer(c, source.path, target.container, target.path);
    throw new CliError('must specify at least one container source');
  },
};
