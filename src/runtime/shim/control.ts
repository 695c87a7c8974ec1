import type { ShimConnection } from './connection.ts';
import {
  decodeFailure,
  decodeState,
  encodeFrame,
  encodeResize,
  frameType,
  type Frame,
  type ShimState,
} from './protocol.ts';

export type StartOutcome =
  | { readonly kind: 'started'; readonly state: ShimState }
  | { readonly kind: 'failed'; readonly status: number; readonly text: string }
  | { readonly kind: 'lost' };

/** How long an exit waits for its record. A disk that takes nothing, not even the room that was kept, would hold it up for ever. */
const recordMs = 2000;

/** The daemon's own connection to a shim: what became of the start, the exit, and the exits of exec'd processes. */
export class ShimControl {
  /** Resolves with the first state that is not `starting`. */
  readonly started: Promise<StartOutcome>;
  /** Resolves when the exit is on record, or some time after it when it cannot be; with undefined when the connection broke before that. */
  readonly exited: Promise<ShimState | undefined>;
  readonly #connection: ShimConnection;
  readonly #execExits = new Map<number, PromiseWithResolvers<number>>();
  #setStarted: (outcome: StartOutcome) => void = () => {};
  #setExited: (state: ShimState | undefined) => void = () => {};

  constructor(connection: ShimConnection) {
    this.#connection = connection;
    this.started = new Promise((resolve) => {
      this.#setStarted = resolve;
    });
    this.exited = new Promise((resolve) => {
      this.#setExited = resolve;
    });
    connection.sink = {
      data: () => {},
      frame: (frame) => this.#take(frame),
      closed: () => {
        this.#setStarted({ kind: 'lost' });
        this.#setExited(undefined);
      },
    };
  }

  /** The exit code of an exec'd process; the two connections are not ordered, so it may have come before anybody asks. */
  execExit(session: number): Promise<number> {
    const entry = this.#execEntry(session);
    // The shim never names a number again before it has used all others.
    void entry.promise.then(() => this.#execExits.delete(session));
    return entry.promise;
  }

  resize(session: number, rows: number, columns: number): void {
    this.#connection.send(encodeResize(session, rows, columns));
  }

  release(): void {
    this.#connection.send(encodeFrame(frameType.release), () => this.#connection.socket.end());
  }

  close(): void {
    this.#connection.close();
  }

  #execEntry(session: number): PromiseWithResolvers<number> {
    let entry = this.#execExits.get(session);
    if (!entry) {
      entry = Promise.withResolvers<number>();
      this.#execExits.set(session, entry);
    }
    return entry;
  }

  #take(frame: Frame): void {
    if (frame.type === frameType.state) {
      const state = decodeState(frame.payload);
      if (state.phase !== 'starting') this.#setStarted({ kind: 'started', state });
      if (state.phase === 'exited' && state.recorded) this.#setExited(state);
      else if (state.phase === 'exited') setTimeout(() => this.#setExited(state), recordMs);
    } else if (frame.type === frameType.failed) {
      this.#setStarted({ kind: 'failed', ...decodeFailure(frame.payload) });
    } else if (frame.type === frameType.execExit) {
      this.#execEntry(frame.session).resolve(frame.payload.readInt32LE(0));
    }
  }
}
