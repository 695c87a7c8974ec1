import type { Readable } from 'node:stream';
import type { Ctx } from '../ctx.ts';

export interface RemoteFile {
  /** Its address as it is shown: with the scheme that was left out. */
  readonly address: string;
  /** Fails when the line breaks before its end. */
  readonly stream: Readable;
  /** Bytes; undefined when the server does not say. */
  readonly size: number | undefined;
}

/** Files of the world, by http or https. */
export interface RemoteFiles {
  /** Without a scheme http is meant. Errors in Docker's words: `notFound` for 404, `unavailable` when the server cannot be reached. */
  open(ctx: Ctx, address: string): Promise<RemoteFile>;
}
