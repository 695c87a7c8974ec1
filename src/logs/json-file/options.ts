import { invalid } from '../../core/errors.ts';
import { attributeOptions, checkAttributeOptions } from './attributes.ts';
import { parseHumanSize } from '../size.ts';

export interface LogLimits {
  /** Bytes; 0 for unlimited. */
  readonly maxSize: number;
  readonly maxFile: number;
}

/** Docker has no limit by default, and full disks are what comes of it. `max-size=-1` asks for that. */
export const defaultLogLimits: LogLimits = { maxSize: 100_000_000, maxFile: 5 };

function maxSizeOf(text: string): number {
  if (text === '-1') return 0;
  const size = parseHumanSize(text);
  if (size === undefined) throw invalid(`invalid size: '${text}'`);
  if (size <= 0) throw invalid('max-size must be a positive number');
  return size;
}

function maxFileOf(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw invalid(`strconv.Atoi: parsing "${text}": invalid syntax`);
  const count = Number(text);
  if (count < 1) throw invalid('max-file cannot be less than 1');
  return count;
}

/** Checks `--log-opt` as dockerd does, and reads the limits. With a `max-size` of one's own and no `max-file` there is one file. */
export function parseJsonFileOptions(options: Readonly<Record<string, string>>): LogLimits {
  for (const name of Object.keys(options)) {
    if (name === 'max-size' || name === 'max-file' || name === 'compress' || attributeOptions.has(name))
      continue;
    throw invalid(`unknown log opt '${name}' for json-file log driver`);
  }
  const { compress } = options;
  if (compress !== undefined && !/^(0|f|false)$/i.test(compress)) {
    throw invalid("log opt 'compress' is not supported: rotated logs are kept as they are");
  }
  checkAttributeOptions(options);
  const size = options['max-size'];
  const file = options['max-file'];
  const maxSize = size === undefined ? defaultLogLimits.maxSize : maxSizeOf(size);
  const fallback = size === undefined ? defaultLogLimits.maxFile : 1;
  return { maxSize, maxFile: file === undefined ? fallback : maxFileOf(file) };
}
