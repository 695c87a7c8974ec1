import { invalid } from '../../core/errors.ts';
import type { LogPlan } from '../../core/ports/log-driver.ts';
import { attributeOptions, checkAttributeOptions } from '../attributes.ts';
import { checkNames, ownOptions, parseCommonOptions } from './common.ts';
import { type LogOptions, parseBool, parseInteger, parseSize } from './words.ts';

/** Docker has no limit by default, and full disks are what comes of it. `max-size=-1` asks for that. */
export const defaultLogLimits = { maxSize: 100_000_000, maxFile: 5 } as const;

const known: ReadonlySet<string> = new Set(['max-size', 'max-file', 'compress', ...attributeOptions]);

function maxSizeOf(text: string): number {
  if (text === '-1') return 0;
  const size = parseSize(text);
  if (size <= 0) throw invalid('max-size must be a positive number');
  return size;
}

function maxFileOf(text: string): number {
  const count = parseInteger(text);
  if (count < 1) throw invalid('max-file cannot be less than 1');
  return count;
}

/** Checks `--log-opt` as dockerd does, and reads the limits. With a `max-size` of one's own and no `max-file` there is one file. */
export function planJsonFile(options: LogOptions): LogPlan {
  parseCommonOptions(options);
  checkNames('json-file', ownOptions(options), known);
  checkAttributeOptions(options);
  const size = options['max-size'];
  const file = options['max-file'];
  const maxSize = size === undefined ? defaultLogLimits.maxSize : maxSizeOf(size);
  const fallback = size === undefined ? defaultLogLimits.maxFile : 1;
  const maxFile = file === undefined ? fallback : maxFileOf(file);
  const compress = options['compress'] === undefined ? false : parseBool(options['compress']);
  if (compress && (maxFile < 2 || maxSize === 0)) {
    throw invalid('compress cannot be true when max-file is less than 2 or max-size is not set');
  }
  return { maxSize, maxFile, ...(compress ? { compress } : {}) };
}
