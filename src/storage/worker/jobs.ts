/** What each job does, inside the worker thread: synchronous file calls, streams only where bytes come or go. */

import { createHash } from 'node:crypto';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { setImmediate as immediate } from 'node:timers/promises';
import { invalid } from '../../core/errors.ts';
import { exploreLayers } from '../archive/explore.ts';
import { packDirectory } from '../archive/pack.ts';
import { vfsJobs } from '../snapshots/vfs/jobs.ts';
import { findChanges } from '../snapshots/overlay2/changes.ts';
import { copyTree } from './copy-tree.ts';
import { directorySize, emptySlowly } from './trees.ts';
import { chunksOf } from './follow-file.ts';
import type { JobIo } from './job-io.ts';
import { recipeJobs } from './recipe-jobs.ts';
import type { JobKind, Jobs } from './protocol.ts';
import type { Run, Tools } from './run.ts';
import { unpack } from './unpack-job.ts';

const ingest: Run<'ingest'> = async (_tools, io, { path }) => {
  const fd = openSync(path, 'wx', 0o600);
  const hash = createHash('sha256');
  let size = 0;
  try {
    for await (const chunk of io.input({ reuse: true })) {
      hash.update(chunk);
      let done = 0;
      while (done < chunk.length) done += writeSync(fd, chunk, done);
      size += chunk.length;
    }
  } catch (error) {
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(fd);
  }
  return { digest: `sha256:${hash.digest('hex')}`, size };
};

const verify: Run<'verify'> = async (_tools, io, { file, growth }) => {
  const hash = createHash('sha256');
  let size = 0;
  const place = { path: file, growing: { growth, movedTo: file } };
  for await (const chunk of chunksOf(place, () => io.check(), Buffer.allocUnsafeSlow(256 << 10))) {
    hash.update(chunk);
    size += chunk.length;
    // Other jobs run on this thread too.
    await immediate();
  }
  return { digest: `sha256:${hash.digest('hex')}`, size };
};

const pack: Run<'pack'> = async (tools, io, { directory, omit }) => {
  const attributes = await tools.attributes();
  const bytes = (text: string): string => Buffer.from(text).toString('latin1');
  const omitted = new Set((omit ?? []).map((path) => bytes(path.replace(/^\/+/, ''))));
  let size = 0;
  for (const chunk of packDirectory(bytes(directory), attributes, omitted)) {
    size += chunk.length;
    await io.emit(chunk);
  }
  return { size };
};

const lineBatch = 64 << 10;
/** Entries after which messages (a cancellation) are looked at, even when nothing was sent. */
const breath = 2000;

const explore: Run<'explore'> = async (tools, io, { layers, files }) => {
  let lines = '';
  let count = 0;
  const roots = layers.map((layer) => Buffer.from(layer).toString('latin1'));
  const say = async (line: object): Promise<void> => {
    lines += `${JSON.stringify(line)}\n`;
    if (lines.length < lineBatch) return;
    await io.emit(Buffer.from(lines));
    lines = '';
  };
  const pace = async (): Promise<void> => {
    if (++count % breath === 0) await immediate();
    io.check();
  };
  await exploreLayers(await tools.attributes(), roots, { say, pace, files });
  await io.emit(Buffer.from(lines));
  return {};
};

const runners: { readonly [K in JobKind]: Run<K> } = {
  ingest,
  verify,
  unpack,
  ...recipeJobs,
  ...vfsJobs,
  pack,
  explore,
  changes: async (tools, io, input) => ({ changes: findChanges(await tools.attributes(), io, input) }),
  usage: async (_tools, io, { directory }) => ({ size: directorySize(io, directory) }),
  copy: async (tools, io, { from, to }) => {
    copyTree(await tools.attributes(), io, from, to);
    return {};
  },
  empty: async (_tools, io, { directory }) => ({ left: await emptySlowly(io, directory) }),
};

export function runJob<K extends JobKind>(
  tools: Tools,
  io: JobIo,
  kind: K,
  input: Jobs[K]['input'],
): Promise<Jobs[K]['result']> {
  const run = runners[kind] as Run<K> | undefined;
  if (run === undefined) throw invalid(`unknown job ${kind}`);
  return run(tools, io, input);
}
