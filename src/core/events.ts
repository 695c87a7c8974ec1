/** The engine's event stream: Docker's types, actions and attributes. */

import { nowNano } from './time.ts';

export type EventType = 'container' | 'image' | 'network' | 'volume' | 'daemon' | 'builder' | 'plugin';

export interface EngineEvent {
  readonly type: EventType;
  /** Docker's action, for example `create`, `exec_start: sh -c ls`, `health_status: healthy`. */
  readonly action: string;
  readonly actorId: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Nanoseconds since the epoch. */
  readonly timeNano: bigint;
}

export type NewEvent = Omit<EngineEvent, 'timeNano'>;

const keep = 1024;

/** Keeps the last 1,024 events for `since`, and hands each new one to every listener, in order. */
export class EventBus {
  readonly #ring: EngineEvent[] = [];
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  #last = 0n;

  emit(event: NewEvent): void {
    let now = nowNano();
    if (now <= this.#last) now = this.#last + 1n;
    this.#last = now;
    const full: EngineEvent = { ...event, timeNano: now };
    this.#ring.push(full);
    if (this.#ring.length > keep) this.#ring.shift();
    for (const listener of this.#listeners) listener(full);
  }

  /** The kept events not older than `sinceNano`, oldest first. */
  since(sinceNano: bigint): readonly EngineEvent[] {
    return this.#ring.filter((event) => event.timeNano >= sinceNano);
  }

  /** Calls `listener` for each event to come; returns the function that ends it. */
  subscribe(listener: (event: EngineEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
