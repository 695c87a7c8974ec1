/** What `cp`'s arguments mean. */
import fs from 'node:fs';
import path from 'node:path';
import { CliError } from '../exit.ts';

export interface CopyArgument {
  /** Undefined for a path on this machine. */
  readonly container: string | undefined;
  readonly path: string;
}

/** `NAME:PATH`, or a local path: one that begins with `/` or `.` or has no colon. */
export function parseArgument(text: string): CopyArgument {
  if (text.startsWith('/') || text.startsWith('.')) return { container: undefined, path: text };
  const colon = text.indexOf(':');
  if (colon < 0) return { container: undefined, path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** `dir/.` and `dir/..` mean the directory's contents. */
export const meansContents = (text: string): boolean => text === '.' || text.endsWith('/.');
export const hasTrailingSlash = (text: string): boolean => text.endsWith('/');

export interface Target {
  readonly exists: boolean;
  readonly isDirectory: boolean;
}

export interface Placement {
  /** The directory that receives the copy, and the name it gets there; '' merges contents into it. */
  readonly directory: string;
  readonly name: string;
}

/** Where a copy goes, by docker's rules for existing and missing targets. Throws CliError where these refuse. */
export function placeCopy(input: {
  readonly source: string;
  readonly sourceIsDirectory: boolean;
  readonly target: string;
  readonly found: Target;
}): Placement {
  const { source, sourceIsDirectory, target, found } = input;
  const base = path.basename(path.resolve('/', source));
  if (found.exists && found.isDirectory) {
    return { directory: target, name: sourceIsDirectory && meansContents(source) ? '' : base };
  }
  if (sourceIsDirectory && found.exists) throw new CliError('cannot copy directory');
  if (!sourceIsDirectory && !found.exists && hasTrailingSlash(target))
    throw new CliError('no such directory');
  const trimmed = target.replace(/\/+\.?$/, '') || '/';
  return { directory: path.dirname(trimmed), name: path.basename(trimmed) };
}

export function localTarget(file: string): Target {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  return { exists: stat !== undefined, isDirectory: stat?.isDirectory() ?? false };
}
