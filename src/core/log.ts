/** Structured logging: one line a record, level and fields; sinks are given, never global. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every record. */
  with(fields: LogFields): Logger;
}

const order: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

function show(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message);
  if (typeof value === 'string') return /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value) ?? 'undefined';
}

/** A logger in the logfmt format (`time=... level=... msg=... key=value`), lines handed to `write`. */
export function createLogger(level: LogLevel, write: (line: string) => void, fields: LogFields = {}): Logger {
  const emit = (at: LogLevel, message: string, extra?: LogFields): void => {
    if (order[at] < order[level]) return;
    const parts = [`time=${new Date().toISOString()}`, `level=${at}`, `msg=${JSON.stringify(message)}`];
    for (const [key, value] of Object.entries({ ...fields, ...extra })) parts.push(`${key}=${show(value)}`);
    write(`${parts.join(' ')}\n`);
  };
  return {
    debug: (message, extra) => emit('debug', message, extra),
    info: (message, extra) => emit('info', message, extra),
    warn: (message, extra) => emit('warn', message, extra),
    error: (message, extra) => emit('error', message, extra),
    with: (extra) => createLogger(level, write, { ...fields, ...extra }),
  };
}

/** A logger that drops everything: for tests. */
export const silentLogger: Logger = createLogger('error', () => {});
