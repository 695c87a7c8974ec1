/** A process that does what `cat` does: its stdin comes back, and it ends with it. */

import { PassThrough } from 'node:stream';
import type { Attachment } from '../../../src/core/ports/runtime.ts';
import type { AttachSession } from '../../../src/services/containers/index.ts';

export interface CatAttachment extends Attachment {
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
  readonly stdin: PassThrough;
  readonly detached: Promise<void>;
}

export function catAttachment(): CatAttachment {
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const { promise: detached, resolve } = Promise.withResolvers<void>();
  stdin.pipe(stdout);
  stdin.on('end', () => stderr.end('end of input'));
  return { stdin, stdout, stderr, detached, detach: resolve };
}

export function sessionOf(attachment: Attachment, tty: boolean): AttachSession {
  return {
    tty,
    backlog: undefined,
    live: Promise.resolve(attachment),
    detach: () => attachment.detach(),
  };
}
