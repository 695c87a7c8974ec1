/** Compressed streams: what they are by their first bytes, and their content. */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { PassThrough, pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { internal, invalid } from './errors.ts';

export type Compression = 'none' | 'gzip' | 'zstd' | 'xz' | 'bzip2';

const magics: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b, 0x08]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['bzip2', [0x42, 0x5a, 0x68]],
];

export function detectCompression(start: Uint8Array): Compression {
  for (const [name, magic] of magics) if (magic.every((byte, index) => start[index] === byte)) return name;
  // zstd's skippable frames may come first (written by zstd:chunked).
  const isSkippable = start[1] === 0x2a && start[2] === 0x4d && start[3] === 0x18;
  return isSkippable && ((start[0] ?? 0) & 0xf0) === 0x50 ? 'zstd' : 'none';
}

/**
 * Only these files run, never one found through PATH: a container's file system may be on it. zstd too: Node's own
 * drops what follows the first frame and takes a cut stream for a whole one, and layers of many frames are common.
 */
const programs = { zstd: '/usr/bin/zstd', xz: '/usr/bin/xz', bzip2: '/bin/bzip2' } as const;

/** Several times as fast as zlib. Optional: without them gzip is unpacked in-process. */
const gzipPrograms = ['/usr/bin/igzip', '/usr/bin/unpigz'];
let gzipProgram: { readonly path: string | undefined } | undefined;

function findGzipProgram(): string | undefined {
  gzipProgram ??= { path: gzipPrograms.find((path) => existsSync(path)) };
  return gzipProgram.path;
}

/** The program that unpacks a compression (with `-dc`); undefined where it is done in-process. */
export function programOf(compression: Compression): string | undefined {
  if (compression === 'none') return undefined;
  return compression === 'gzip' ? findGzipProgram() : programs[compression];
}

/** What a program's last words mean. */
export function programError(name: string, words: string): Error {
  if (/complete gzip file|unexpected end of file/.test(words)) return invalid('unexpected EOF');
  return invalid(`invalid ${name} data: ${words.trim()}`);
}

function runProgram(name: Compression, program: string, source: Readable): Readable {
  const child = spawn(program, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'], env: {} });
  const out = new PassThrough();
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-500)));
  child.on('error', (error) => out.destroy(internal(`cannot run ${program}: ${error.message}`, error)));
  pipeline(source, child.stdin, (error) => {
    // EPIPE only says that the program ended; its exit code says why.
    if (error != null && error.code !== 'EPIPE') out.destroy(error);
  });
  child.stdout.pipe(out, { end: false });
  child.on('close', (code) => {
    if (code === 0) out.end();
    else out.destroy(programError(name, words));
  });
  out.on('close', () => child.kill('SIGKILL'));
  return out;
}

function describe(error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'Z_BUF_ERROR') return invalid('unexpected EOF', error);
  if (code?.startsWith('Z_') === true) return invalid(`invalid gzip data: ${message}`, error);
  return error instanceof Error ? error : new Error(String(error));
}

/**
 * The content of a compressed stream. `invalid` when it is damaged or cut short. Destroying it destroys the source.
 * `big`: worth a process of its own.
 */
export function decompress(
  source: Readable,
  compression: Compression,
  { chunkSize = 256 << 10, big = false }: { readonly chunkSize?: number; readonly big?: boolean } = {},
): Readable {
  if (compression === 'none') return source;
  if (compression !== 'gzip') return runProgram(compression, programs[compression], source);
  const program = big ? findGzipProgram() : undefined;
  if (program !== undefined) return runProgram('gzip', program, source);
  const inflate = createGunzip({ chunkSize });
  const out = new PassThrough({ highWaterMark: 4 * chunkSize });
  inflate.on('data', (chunk: Buffer) => {
    if (!out.write(chunk)) inflate.pause();
  });
  out.on('drain', () => inflate.resume());
  inflate.on('end', () => out.end());
  inflate.on('error', (error) => out.destroy(describe(error)));
  source.on('error', (error) => out.destroy(error));
  source.on('close', () => {
    if (!source.readableEnded) out.destroy(invalid('unexpected EOF'));
  });
  source.pipe(inflate);
  out.on('close', () => {
    source.destroy();
    inflate.destroy();
  });
  return out;
}

/** Looks at the first bytes and gives them back: the returned stream has all of the source. */
export async function peekCompression(
  source: Readable,
): Promise<{ readonly compression: Compression; readonly stream: Readable }> {
  const start: Buffer[] = [];
  const iterator = source.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  let length = 0;
  while (length < 6) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    start.push(value);
    length += value.length;
  }
  await iterator.return?.();
  const head = Buffer.concat(start);
  const compression = detectCompression(head);
  if (source.readableEnded || source.destroyed) {
    const only = new PassThrough();
    only.end(head);
    return { compression, stream: only };
  }
  source.unshift(head);
  return { compression, stream: source };
}

/** Decompresses by what the first bytes say. */
export async function decompressDetected(
  source: Readable,
  options: { readonly chunkSize?: number; readonly big?: boolean } = {},
): Promise<Readable> {
  const { compression, stream } = await peekCompression(source);
  return decompress(stream, compression, options);
}
