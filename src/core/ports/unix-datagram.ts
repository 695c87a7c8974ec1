/** A connected unix datagram socket: what Node has no words for, and what /dev/log and the journal speak. */
export interface UnixDatagram {
  /** False when the receiver takes no more for now. Throws when it is gone. */
  send(message: Uint8Array): boolean;
  close(): void;
}

/** Throws when nobody listens there. */
export type OpenUnixDatagram = (path: string) => UnixDatagram;
