/** A LogDriver in memory. Logs are lists of entries by path; the tests write them. */
import { invalid } from '../../../src/core/errors.ts';
import { LogBatch, type LogEntry } from '../../../src/core/log-batch.ts';
import type { LogDriver, LogReadOptions } from '../../../src/core/ports/log-driver.ts';
import type { Ctx } from '../../../src/core/ctx.ts';

export interface FakeLogDriver extends LogDriver {
  append(path: string, entries: readonly LogEntry[]): void;
}

interface FakeLog {
  readonly entries: LogEntry[];
  readonly waiters: Set<() => void>;
}

function nanosecondsOf(time: string): bigint {
  const [whole = '', fraction = ''] = time.replace('Z', '').split('.');
  return BigInt(Date.parse(`${whole}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

async function* readFake(log: FakeLog, ctx: Ctx, options: LogReadOptions): AsyncGenerator<LogBatch> {
  const end = options.follow ? Infinity : log.entries.length;
  let at = options.tail === undefined ? 0 : Math.max(0, log.entries.length - options.tail);
  const state = { hasEnded: false };
  const wakeAll = (): void => {
    for (const wake of log.waiters) wake();
  };
  const finish = (): void => {
    state.hasEnded = true;
    wakeAll();
  };
  void options.ended?.then(finish, finish);
  ctx.signal.addEventListener('abort', wakeAll, { once: true });
  while (at < end && !ctx.signal.aborted) {
    const entry = log.entries[at];
    if (!entry) {
      if (state.hasEnded) return;
      await new Promise<void>((resolve) => {
        log.waiters.add(resolve);
      });
      continue;
    }
    at += 1;
    const time = nanosecondsOf(entry.time);
    if (options.untilNano !== undefined && time > options.untilNano) return;
    if (options.sinceNano !== undefined && time < options.sinceNano) continue;
    if (options.only === undefined || options.only === entry.stream) yield LogBatch.of([entry]);
  }
}

export function createFakeLogDriver(name = 'json-file'): FakeLogDriver {
  const logs = new Map<string, FakeLog>();
  const logAt = (path: string): FakeLog => {
    let log = logs.get(path);
    if (!log) {
      log = { entries: [], waiters: new Set() };
      logs.set(path, log);
    }
    return log;
  };
  return {
    name,
    validate: (options) => {
      for (const key of Object.keys(options)) {
        if (key !== 'max-size' && key !== 'max-file')
          throw invalid(`unknown log opt '${key}' for ${name} log driver`);
      }
      const size = options['max-size'];
      const parts = /^(\d+)([kmg]?)$/.exec(size ?? '0');
      if (!parts) throw invalid(`invalid size: '${size}'`);
      const maxFile = Number(options['max-file'] ?? 1);
      if (!(maxFile >= 1)) throw invalid('max-file cannot be less than 1');
      return { maxSize: Number(parts[1]) * 1000 ** ['', 'k', 'm', 'g'].indexOf(parts[2] ?? ''), maxFile };
    },
    read: (ctx, path, options) => readFake(logAt(path), ctx, options),
    remove: async (path) => {
      logs.delete(path);
    },
    append: (path, entries) => {
      const log = logAt(path);
      log.entries.push(...entries);
      for (const wake of log.waiters) wake();
      log.waiters.clear();
    },
  };
}
