/**
 * What a command sees of the outside: environment, clock, the three standard streams. Commands never touch `process`,
 * so that tests run them in this process with an Io of their own.
 */

export interface Sink {
  readonly isTerminal: boolean;
  /** Size of the terminal; 80 by 24 when there is none. */
  size(): { readonly columns: number; readonly rows: number };
  /** Writes all before it returns. For what a command says itself. */
  write(text: string | Uint8Array): void;
  /** Writes without holding up the process while the reader is slow. For what containers say. */
  send(chunk: Uint8Array): Promise<void>;
}

export interface Source {
  readonly isTerminal: boolean;
  /** The bytes as they come, to the end. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Switches the terminal to raw mode and back; nothing when it is none. */
  setRaw(raw: boolean): void;
  /** Stops reading, so that the process can end. */
  close(): void;
}

export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Source;
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back at each of these signals until the answer is called. */
  onSignals(signals: readonly NodeJS.Signals[], listener: (signal: NodeJS.Signals) => void): () => void;
}
