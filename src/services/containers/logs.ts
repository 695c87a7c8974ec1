import type { Ctx } from '../../core/ctx.ts';
import { invalid, notImplemented } from '../../core/errors.ts';
import { isActive, type ContainerRecord } from '../../core/model/container.ts';
import type { LogBatch } from '../../core/ports/log-driver.ts';
import type { Room } from './deps.ts';
import { logOf } from './log-tending.ts';
import type { LogsInput, LogsResult } from './types.ts';

/** The container's log by its driver; `ended` says when a follow may end. */
export function readLog(
  room: Room,
  ctx: Ctx,
  record: ContainerRecord,
  input: LogsInput,
  ended: Promise<unknown> | undefined,
): AsyncIterable<LogBatch> {
  const log = logOf(room, record);
  if (log === undefined || log.plan.readable === false || record.logPath === '') {
    throw notImplemented('configured logging driver does not support reading');
  }
  const only = input.stdout && input.stderr ? undefined : input.stdout ? 'stdout' : 'stderr';
  return log.driver.read(ctx, record.logPath, {
    tail: input.tail,
    sinceNano: input.sinceNano,
    untilNano: input.untilNano,
    follow: input.follow && ended !== undefined,
    ...(ended === undefined ? {} : { ended }),
    ...(only === undefined ? {} : { only }),
  });
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
