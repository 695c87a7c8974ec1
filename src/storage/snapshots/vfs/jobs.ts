/** The vfs driver's jobs in the worker threads. */

import { packDirectory } from '../../archive/pack.ts';
import type { Run } from '../../worker/run.ts';
import { compareTree } from './compare.ts';
import { flatten as flattenLayers } from './flatten.ts';

const bytes = (text: string): string => Buffer.from(text).toString('latin1');

const flatten: Run<'flatten'> = async (tools, io, input) => {
  flattenLayers(await tools.attributes(), io, input);
  return {};
};

const compare: Run<'compare'> = async (tools, io, input) => {
  const found = compareTree(await tools.attributes(), io, input);
  return {
    changes: found.map(({ path, kind }) => ({
      path: `/${Buffer.from(path, 'latin1').toString('utf8')}`,
      kind,
    })),
    size: found.reduce((sum, { size }) => sum + size, 0),
  };
};

const packChanges: Run<'packChanges'> = async (tools, io, { root, layers, omit }) => {
  const attributes = await tools.attributes();
  const found = compareTree(attributes, io, { root, layers });
  const omitted = new Set((omit ?? []).map((path) => bytes(path.replace(/^\/+/, ''))));
  const only = new Map(found.map(({ path, kind }) => [path, kind]));
  let size = 0;
  for (const chunk of packDirectory(bytes(root), attributes, omitted, only)) {
    size += chunk.length;
    await io.emit(chunk);
  }
  return { size };
};

export const vfsJobs = { flatten, compare, packChanges } as const;
