/** Jobs around recipes: layers whose archives are made again when somebody wants them. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { decompress } from '../../core/compression.ts';
import { invalid } from '../../core/errors.ts';
import type { FileAttributes } from '../../core/ports/file-attributes.ts';
import { remakeArchive } from '../archive/recipe.ts';
import { ReferenceRecorder } from '../archive/reference-recorder.ts';
import { LayerRecorder } from '../archive/recorder.ts';
import type { JobIo } from './job-io.ts';
import type { Run } from './run.ts';

const latin = (path: string): string => Buffer.from(path).toString('latin1');

const stage: Run<'stage'> = async (tools, io, { directory }) => {
  const attributes: FileAttributes = await tools.attributes();
  const recorder = new LayerRecorder(latin(directory), () => attributes);
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of io.input({ reuse: true })) {
      hash.update(chunk);
      bytes += chunk.length;
      recorder.push(chunk);
    }
    const { size, implicit } = recorder.finish();
    return { diffId: `sha256:${hash.digest('hex')}`, size, bytes, implicit };
  } catch (error) {
    recorder.abandon();
    throw error;
  }
};

const remake: Run<'remake'> = async (_tools, io, { directory, diffId }) => {
  const size = await checkedArchive(io, latin(directory), diffId, (chunk) => io.emit(chunk));
  if (size === undefined) throw invalid(`layer ${diffId} is no longer what it was: its files were changed`);
  return { size };
};

/** Bytes of the archive; undefined when it is not the one that it should be. */
async function checkedArchive(
  io: JobIo,
  directory: string,
  diffId: string,
  take: (chunk: Buffer) => Promise<void>,
  recipe = directory,
): Promise<number | undefined> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of remakeArchive(directory, recipe)) {
    io.check();
    hash.update(chunk);
    size += chunk.length;
    await take(chunk);
  }
  return `sha256:${hash.digest('hex')}` === diffId ? size : undefined;
}

/** Held against the layer's files while it lies in `scratch`: a recipe that does not give the archive is not kept. */
const record: Run<'record'> = async (_tools, io, { file, compression, directory, scratch, diffId }) => {
  const recorder = new ReferenceRecorder(latin(scratch), latin(directory));
  const source = createReadStream(file, { highWaterMark: 1 << 20 });
  const content = decompress(source, compression, { chunkSize: 512 << 10 });
  try {
    for await (const chunk of content) {
      io.check();
      recorder.push(chunk as Buffer);
    }
  } finally {
    recorder.finish();
    source.destroy();
  }
  let bytes: number | undefined;
  try {
    bytes = await checkedArchive(io, latin(directory), diffId, async () => {}, latin(scratch));
  } catch {
    io.check();
  }
  return { bytes };
};

export const recipeJobs = { stage, record, remake };
