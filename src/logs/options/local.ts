import { invalid } from '../../core/errors.ts';
import type { LogPlan } from '../../core/ports/log-driver.ts';
import { checkNames, ownOptions, parseCommonOptions } from './common.ts';
import { type LogOptions, parseBool, parseInteger, parseSize } from './words.ts';

const known: ReadonlySet<string> = new Set(['max-size', 'max-file', 'compress']);

function reading<T>(before: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw invalid(`${before}: ${(error as Error).message}`, error);
  }
}

/** Docker's options of `local`, with its defaults: five files of 20 MB, compressed. */
export function planLocal(options: LogOptions): LogPlan {
  parseCommonOptions(options);
  checkNames('local', ownOptions(options), known);
  const { 'max-size': size, 'max-file': file, compress: squeeze } = options;
  const maxSize =
    size === undefined ? 20_000_000 : reading(`invalid value for max-size: ${size}`, () => parseSize(size));
  const maxFile =
    file === undefined ? 5 : reading(`invalid value for max-file: ${file}`, () => parseInteger(file));
  const compress =
    squeeze === undefined ? true : reading('error reading compress log option', () => parseBool(squeeze));
  if (maxFile < 1 && !compress) throw invalid('max file size must be a positive number');
  if (compress && maxFile <= 1) throw invalid('compression cannot be enabled when max file count is 1');
  return { maxSize, maxFile, compress, keepBytes: true };
}
