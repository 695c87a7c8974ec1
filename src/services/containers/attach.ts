import type { Ctx } from '../../core/ctx.ts';
import { conflict } from '../../core/errors.ts';
import { isActive } from '../../core/model/container.ts';
import type { LogBatch } from '../../core/ports/log-driver.ts';
import type { Attachment, AttachOptions } from '../../core/ports/runtime.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { readLog } from './logs.ts';
import type { Entry, PendingAttachment } from './table.ts';
import type { AttachInput, AttachSession } from './types.ts';

/** The live side: at once when it runs, else when it starts. */
async function liveAttachment(
  entry: Entry,
  options: AttachOptions,
  onPending: (pending: PendingAttachment) => void,
): Promise<Attachment | undefined> {
  if (entry.task !== undefined) return await entry.task.attach(options);
  const { promise, resolve } = Promise.withResolvers<Attachment | undefined>();
  const pending: PendingAttachment = { options, settle: resolve };
  entry.pending.add(pending);
  onPending(pending);
  return await promise;
}

/** Joins a container's streams, before or after its start. */
export async function attachContainer(
  room: Room,
  ctx: Ctx,
  ref: string,
  input: AttachInput,
): Promise<AttachSession> {
  const entry = room.table.resolve(ref);
  const { record } = entry;
  if (record.state.status === 'paused')
    throw conflict(`container ${ref} is paused, unpause the container before attach`);
  if (record.state.status === 'restarting') {
    throw conflict(`container ${ref} is restarting, wait until the container is running`);
  }
  const tty = record.config.Tty === true;
  const options: AttachOptions = {
    stdin: input.stdin && record.config.OpenStdin === true,
    stdout: input.stdout,
    stderr: input.stderr,
  };
  const backlog: AsyncIterable<LogBatch> | undefined = input.logs
    ? readLog(
        room,
        ctx,
        record,
        {
          stdout: input.stdout,
          stderr: input.stderr,
          follow: false,
          tail: undefined,
          sinceNano: undefined,
          untilNano: undefined,
        },
        undefined,
      )
    : undefined;
  let pending: PendingAttachment | undefined;
  let gone = false;
  let attachment: Attachment | undefined;
  const wanted =
    input.stream &&
    (isActive(record.state) ||
      record.state.status === 'created' ||
      record.state.status === 'exited' ||
      record.state.status === 'starting');
  const live = wanted
    ? liveAttachment(entry, options, (registered) => {
        pending = registered;
      })
        .then((made) => {
          attachment = made;
          if (gone) made?.detach();
          return gone ? undefined : made;
        })
        .catch((error: unknown) => {
          room.log.warn('attach failed', { container: entry.id, error });
          return undefined;
        })
    : Promise.resolve(undefined);
  emitContainer(room, record, 'attach');
  return {
    tty,
    backlog,
    live,
    detach: () => {
      if (gone) return;
      gone = true;
      if (pending !== undefined && entry.pending.delete(pending)) pending.settle(undefined);
      const live = attachment !== undefined && !attachment.stdout.readableEnded;
      attachment?.detach();
      if (live && entry.task !== undefined) emitContainer(room, entry.record, 'detach');
    },
  };
}
