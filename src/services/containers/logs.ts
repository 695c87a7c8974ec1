import type { Ctx } from '../../core/ctx.ts';
import { conflict, invalid } from '../../core/errors.ts';
import { isActive, type ContainerRecord } from '../../core/model/container.ts';
import type { LogEntry } from '../../core/ports/log-driver.ts';
import type { Room } from './deps.ts';
import type { LogsInput, LogsResult } from './types.ts';

async function* onlyStreams(entries: AsyncIterable<LogEntry>, input: LogsInput): AsyncIterable<LogEntry> {
  for await (const entry of entries) {
    if (entry.stream === 'stdout' ? input.stdout : input.stderr) yield entry;
  }
}

/** The container's log by its driver; `ended` says when a follow may end. */
export function readLog(
  room: Room,
  ctx: Ctx,
  record: ContainerRecord,
  input: LogsInput,
  ended: Promise<unknown> | undefined,
): AsyncIterable<LogEntry> {
  const type = record.hostConfig.LogConfig?.Type ?? '';
  const driver = room.logDrivers.get(type);
  if (driver === undefined || record.logPath === '') {
    throw conflict('configured logging driver does not support reading');
  }
  const entries = driver.read(ctx, record.logPath, {
    tail: input.tail,
    sinceNano: input.sinceNano,
    untilNano: input.untilNano,
    follow: input.follow && ended !== undefined,
    ...(ended === undefined ? {} : { ended }),
  });
  return input.stdout && input.stderr ? entries : onlyStreams(entries, input);
}

/** Log of a container, from its beginning or its last lines, and on while it runs. */
export async function containerLogs(
  room: Room,
  ctx: Ctx,
  ref: string,
  input: LogsInput,
): Promise<LogsResult> {
  const entry = room.table.resolve(ref);
  if (!input.stdout && !input.stderr) throw invalid('Bad parameters: you must choose at least one stream');
  const { record } = entry;
  const ended =
    isActive(record.state) || record.state.status === 'starting' ? entry.ended.promise : undefined;
  return { tty: record.config.Tty === true, entries: readLog(room, ctx, record, input, ended) };
}
