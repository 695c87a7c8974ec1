/** Streams from the engine into a file or to standard output. */
import fs from 'node:fs';
import path from 'node:path';
import { CliError } from './exit.ts';
import type { Sink } from './io.ts';

/** Refuses a path that cannot become a regular file, in docker's words. */
export function checkOutput(file: string): void {
  const directory = path.dirname(file);
  if (!fs.existsSync(directory))
    throw new CliError(`invalid output path: stat ${directory}: no such file or directory`);
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined || stat.isFile()) return;
  // A rename over `/dev/null` would take the host's own away.
  throw new CliError(`cannot write to ${kindOf(stat)}`);
}

function kindOf(stat: fs.Stats): string {
  if (stat.isDirectory()) return 'a directory';
  if (stat.isCharacterDevice()) return 'a character device file';
  if (stat.isBlockDevice()) return 'a block device file';
  if (stat.isFIFO()) return 'a named pipe (FIFO)';
  return 'a socket';
}

/** Where a symlink leads: it stays, and what it names is written. */
function behindLink(file: string): string {
  const isLink = fs.lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  return isLink && fs.existsSync(file) ? fs.realpathSync(file) : file;
}

/** Writes beside the target and renames, so that a broken stream leaves no half file. */
export async function writeFileFrom(given: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const file = behindLink(given);
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.tmp`);
  const handle = await fs.promises.open(temporary, 'wx', 0o600);
  try {
    for await (const chunk of chunks) await handle.writeFile(chunk);
    await handle.close();
    await fs.promises.rename(temporary, file);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await fs.promises.rm(temporary, { force: true });
    throw error;
  }
}

export async function writeOut(out: Sink, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of chunks) await out.send(chunk);
}

/** A file's bytes as they are read. */
export async function* readFileFrom(file: string): AsyncGenerator<Uint8Array, void, undefined> {
  const handle = await fs.promises.open(file, 'r');
  try {
    for (;;) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(64 * 1024));
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}
