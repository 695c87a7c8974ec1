/**
 * The Io of a real process. `process.stdout` and `process.stdin` cost the compiled CLI about 8 ms when first touched,
 * so plain writes go to the descriptor and the streams are made only when a command needs them.
 */
import fs from 'node:fs';
import { CliError } from './exit.ts';
import type { Io, Sink, Source } from './io.ts';

/** 128 + SIGPIPE: what a program that does not ignore the signal ends with. */
const EXIT_PIPE = 141;

function isTerminal(fd: number): boolean {
  try {
    if (!fs.fstatSync(fd).isCharacterDevice()) return false;
  } catch {
    return false;
  }
  return process.getBuiltinModule('node:tty').isatty(fd);
}

/** `write /dev/stdout: no space left on device`, the words that Go's programs have for it. */
function writeError(fd: number, error: unknown): Error {
  if (codeOf(error) === 'EPIPE') return new CliError('', EXIT_PIPE);
  const reason =
    codeOf(error) === 'ENOSPC'
      ? 'no space left on device'
      : error instanceof Error
        ? error.message
        : String(error);
  return new CliError(`write /dev/${fd === 1 ? 'stdout' : 'stderr'}: ${reason}`);
}

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

function bytesOf(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? Buffer.from(text) : text;
}

/** Waits a moment without giving up the thread: a non-blocking terminal or pipe is full. */
function waitShortly(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
}

function writeAll(fd: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += fs.writeSync(fd, bytes, at);
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw writeError(fd, error);
      waitShortly();
    }
  }
}

function writeOnce(fd: number, bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(fd, bytes, (error, written) => {
      if (error === null) resolve(written);
      else reject(error);
    });
  });
}

function throughStream(stream: NodeJS.WriteStream, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => {
      if (error == null) resolve();
      else reject(error);
    });
  });
}

async function sendAll(fd: number, stream: () => NodeJS.WriteStream, bytes: Uint8Array): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(await writeOnce(fd, rest));
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw writeError(fd, error);
      return throughStream(stream(), rest);
    }
  }
}

function sink(fd: number, stream: () => NodeJS.WriteStream): Sink {
  let terminal: boolean | undefined;
  return {
    get isTerminal() {
      terminal ??= isTerminal(fd);
      return terminal;
    },
    size() {
      const [columns, rows] = this.isTerminal ? stream().getWindowSize() : [80, 24];
      return { columns, rows };
    },
    write: (text) => writeAll(fd, bytesOf(text)),
    send: (chunk) => sendAll(fd, stream, chunk),
  };
}

const stdin: Source = {
  get isTerminal() {
    return isTerminal(0);
  },
  async *chunks() {
    // Who stops reading in between, after a prompt, may go on later.
    for await (const chunk of process.stdin.iterator({ destroyOnReturn: false }))
      yield bytesOf(chunk as string | Uint8Array);
  },
  setRaw(raw) {
    if (isTerminal(0)) process.stdin.setRawMode(raw);
  },
  close() {
    process.stdin.destroy();
  },
};

export const processIo: Io = {
  env: process.env,
  stdin,
  stdout: sink(1, () => process.stdout),
  stderr: sink(2, () => process.stderr),
  now: () => Date.now(),
  onSignals(signals, listener) {
    for (const signal of signals) process.on(signal, listener);
    return () => {
      for (const signal of signals) process.off(signal, listener);
    };
  },
};
