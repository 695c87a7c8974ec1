/** Where a log is sent: one connection to one receiver. */

/** A line, or a piece of one that is longer than 16 KiB. */
export interface ShippedLine {
  readonly stream: 'stdout' | 'stderr';
  /** Without its newline. */
  readonly text: Buffer;
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly timeNano: bigint;
  /** Where the line is in pieces. */
  readonly part: { readonly id: string; readonly ordinal: number; readonly isLast: boolean } | undefined;
}

export interface Sink {
  /** Whether `send` resolves only after the receiver has said that it has the lines. */
  readonly confirms: boolean;
  /** Resolves when the receiver is gone; never rejects. */
  readonly broken: Promise<Error>;
  /** Rejects when the receiver is gone. */
  send(lines: readonly ShippedLine[]): Promise<void>;
  /** Ends the connection in order. Rejects when it is not known that the receiver got all. */
  finish(): Promise<void>;
  destroy(): void;
}

export type Connect = (signal: AbortSignal) => Promise<Sink>;
