import type { Ctx } from '../../core/ctx.ts';
import type { EngineEvent, EventBus } from '../../core/events.ts';
import { eventFilter } from './event-filter.ts';
import type { EventsInput } from './types.ts';

/** A reader this far behind is cut off: events must not fill the memory. */
const maximumBacklog = 20_000;

const open = new WeakMap<EventBus, number>();

function count(bus: EventBus, change: number): void {
  open.set(bus, (open.get(bus) ?? 0) + change);
}

/** Hands events over one at a time, in order, whatever the pace of the reader. */
class Mailbox {
  readonly #events: EngineEvent[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  push(event: EngineEvent): void {
    if (this.#closed) return;
    this.#events.push(event);
    if (this.#events.length > maximumBacklog) this.#closed = true;
    this.#wake?.();
  }

  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  /** Undefined when it is closed and empty. */
  async next(): Promise<EngineEvent | undefined> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined || this.#closed) return event;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

const maximumTimer = 2 ** 31 - 1;

/** Calls back at `untilNano`, also when that is farther away than a timer reaches. */
function at(untilNano: bigint, callback: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const left = Number(untilNano / 1_000_000n) - Date.now();
    timer = left > maximumTimer ? setTimeout(arm, maximumTimer) : setTimeout(callback, Math.max(0, left));
  };
  arm();
  return () => clearTimeout(timer);
}

async function* read(
  mailbox: Mailbox,
  filter: (event: EngineEvent) => boolean,
  input: EventsInput,
  close: () => void,
): AsyncGenerator<EngineEvent> {
  const { untilNano } = input;
  try {
    for (;;) {
      const event = await mailbox.next();
      if (event === undefined) return;
      if (untilNano !== undefined && event.timeNano > untilNano) continue;
      if (filter(event)) yield event;
    }
  } finally {
    close();
  }
}

function openStream(bus: EventBus, ctx: Ctx, input: EventsInput): AsyncIterable<EngineEvent> {
  const filter = eventFilter(input.filters);
  const mailbox = new Mailbox();
  // Subscribed here and not at the first read, so that no event between the answer's headers and then is missed.
  const unsubscribe = bus.subscribe((event) => mailbox.push(event));
  count(bus, 1);
  const { sinceNano, untilNano } = input;
  if (sinceNano !== undefined) {
    for (const event of bus.since(sinceNano)) mailbox.push(event);
  }
  const disarm = untilNano === undefined ? undefined : at(untilNano, () => mailbox.close());
  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    count(bus, -1);
    unsubscribe();
    disarm?.();
    ctx.signal.removeEventListener('abort', onAbort);
  };
  // The reader may never come: what a stream holds goes when its client does.
  const onAbort = (): void => {
    mailbox.close();
    close();
  };
  ctx.signal.addEventListener('abort', onAbort, { once: true });
  if (ctx.signal.aborted) onAbort();
  return read(mailbox, filter, input, close);
}

export const eventStream = {
  open: openStream,
  /** Streams open on this bus. */
  listeners: (bus: EventBus): number => open.get(bus) ?? 0,
};
