/**
 * A file through a program that unpacks it, without garbage: one buffer to feed it from, one that its output is read into.
 * Streams would allocate both anew for each of ten thousand chunks, and V8 would not notice how much that is.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants as C, openSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { programError } from '../../core/compression.ts';
import type { FileAttributes } from '../../core/ports/file-attributes.ts';
import { chunksOf } from './follow-file.ts';
import type { LayerFile } from './protocol.ts';

const feedSize = 512 << 10;
const readSize = 256 << 10;

/** A pipe with a name for a moment: only so does the reading end become a socket with a buffer of its own. */
function openPipe(
  attributes: FileAttributes,
  path: string,
): { readonly read: number; readonly write: number } {
  attributes.mknod(Buffer.from(path), C.S_IFIFO | 0o600, 0, 0);
  try {
    const read = openSync(path, C.O_RDONLY | C.O_NONBLOCK);
    return { read, write: openSync(path, C.O_WRONLY) };
  } finally {
    unlinkSync(path);
  }
}

async function feed(child: ChildProcess, file: LayerFile, check: () => void): Promise<void> {
  const { stdin } = child;
  if (stdin === null) return;
  for await (const chunk of chunksOf(file, check, Buffer.allocUnsafeSlow(feedSize))) {
    // Written before the buffer is used again. A program that has ended says why by its exit code.
    const open = await new Promise<boolean>((done) => stdin.write(chunk, (error) => done(error == null)));
    if (!open) return;
  }
  stdin.end();
}

/**
 * Hands on what comes out of `program -dc`; the chunk is only valid during the call. `pipePath`: a name that is free.
 * `invalid` when the program calls the file damaged; what `take` or `check` throws.
 */
export async function inflateFile(
  attributes: FileAttributes,
  input: {
    readonly file: LayerFile;
    readonly program: string;
    readonly name: string;
    readonly pipePath: string;
  },
  check: () => void,
  take: (chunk: Buffer) => void,
): Promise<void> {
  const pipe = openPipe(attributes, input.pipePath);
  const child = spawn(input.program, ['-dc'], { stdio: ['pipe', pipe.write, 'pipe'], env: {} });
  closeSync(pipe.write);
  child.stdin?.on('error', () => {});
  let words = '';
  child.stderr?.on('data', (data: Buffer) => (words = (words + data.toString()).slice(-500)));
  const closed = once(child, 'close') as Promise<[number | null]>;
  closed.catch(() => {});
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => {
    failure ??= { error };
    child.kill('SIGKILL');
    output.destroy();
  };
  const onread = {
    buffer: Buffer.allocUnsafeSlow(readSize),
    callback: (bytes: number, buffer: Uint8Array): boolean => {
      try {
        check();
        take(Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
      } catch (error) {
        fail(error);
      }
      return failure === undefined;
    },
  };
  const output = new Socket({ fd: pipe.read, readable: true, writable: false, onread });
  output.on('error', fail);
  const ended = new Promise<void>((done) => output.once('close', () => done()));
  feed(child, input.file, check).catch(fail);
  output.resume();
  try {
    const [code] = await closed;
    await ended;
    if (failure !== undefined) throw failure.error;
    if (code !== 0) throw programError(input.name, words);
  } finally {
    child.kill('SIGKILL');
    output.destroy();
  }
}
