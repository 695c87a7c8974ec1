/** Options that every driver has: how output is delivered, and the copy that `logs` reads when the driver sends it elsewhere. */
import { invalid } from '../../core/errors.ts';
import { type LogOptions, parseBool, parseInteger, parseSize } from './words.ts';

const names: ReadonlySet<string> = new Set([
  'mode',
  'max-buffer-size',
  'cache-disabled',
  'cache-max-size',
  'cache-max-file',
  'cache-compress',
]);

export interface CommonOptions {
  readonly isBlocking: boolean;
  /** Bytes that wait in non-blocking mode. */
  readonly maxBufferSize: number;
  readonly cache: {
    readonly disabled: boolean;
    readonly maxSize: number;
    readonly maxFile: number;
    readonly compress: boolean;
  };
}

const defaultBuffer = 1024 * 1024;

function cacheOption<T>(options: LogOptions, name: string, fallback: T, read: (text: string) => T): T {
  const text = options[name];
  if (text === undefined) return fallback;
  try {
    return read(text);
  } catch (error) {
    throw invalid(`invalid value for ${name}: ${(error as Error).message}`, error);
  }
}

/** Checks and reads them. `invalid` in Docker's words. */
export function parseCommonOptions(options: LogOptions): CommonOptions {
  const mode = options['mode'] ?? '';
  if (!['', 'blocking', 'non-blocking'].includes(mode)) {
    throw invalid(`logger: logging mode not supported: ${mode}`);
  }
  const buffer = options['max-buffer-size'];
  if (buffer !== undefined && mode !== 'non-blocking') {
    throw invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  }
  let maxBufferSize = defaultBuffer;
  try {
    if (buffer !== undefined) maxBufferSize = parseSize(buffer, true);
  } catch (error) {
    throw invalid(`error parsing option max-buffer-size: ${(error as Error).message}`, error);
  }
  return {
    isBlocking: mode !== 'non-blocking',
    maxBufferSize,
    cache: {
      disabled: cacheOption(options, 'cache-disabled', false, parseBool),
      maxSize: cacheOption(options, 'cache-max-size', 20_000_000, (text) => parseSize(text)),
      maxFile: cacheOption(options, 'cache-max-file', 5, parseInteger),
      compress: cacheOption(options, 'cache-compress', true, parseBool),
    },
  };
}

/** The driver's own options: all but those that every driver has. */
export function ownOptions(options: LogOptions): LogOptions {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !names.has(name)));
}

/** Refuses what the driver does not know. */
export function checkNames(driver: string, options: LogOptions, known: ReadonlySet<string>): void {
  for (const name of Object.keys(options)) {
    if (known.has(name)) continue;
    // Docker's local driver has an order of words of its own.
    const place = driver === 'local' ? 'log driver local' : `${driver} log driver`;
    throw invalid(`unknown log opt '${name}' for ${place}`);
  }
}
