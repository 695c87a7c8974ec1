import type { Ctx } from '../../core/ctx.ts';
import type { LogEntry, LogReadOptions } from '../../core/ports/log-driver.ts';
import { nanosecondsOf, parseEntry } from './entry.ts';
import { closeFiles, holdFiles, inodeOf, type HeldFile } from './files.ts';
import { tailPosition } from './tail.ts';
import { LogWakeups } from './wakeups.ts';

const chunkSize = 128 * 1024;

/** Reads one file's lines from an offset, and more when it has grown. */
class LineReader {
  readonly file: HeldFile;
  readonly #chunk = Buffer.allocUnsafe(chunkSize);
  #offset: number;
  /** The bytes of a line whose end is not read yet. */
  #rest: Buffer[] = [];

  constructor(file: HeldFile, offset: number) {
    this.file = file;
    this.#offset = offset;
  }

  /** The lines of the next chunk, up to byte `limit` of the file; empty at the end for now. */
  async next(limit: number): Promise<string[] | undefined> {
    const want = Math.min(chunkSize, limit - this.#offset);
    if (want <= 0) return undefined;
    const { bytesRead } = await this.file.handle.read(this.#chunk, 0, want, this.#offset);
    if (bytesRead === 0) return undefined;
    this.#offset += bytesRead;
    const bytes = this.#chunk.subarray(0, bytesRead);
    const last = bytes.lastIndexOf(0x0a);
    if (last < 0) {
      this.#rest.push(Buffer.from(bytes));
      return [];
    }
    const text = Buffer.concat([...this.#rest, bytes.subarray(0, last)]).toString();
    this.#rest = last + 1 < bytes.length ? [Buffer.from(bytes.subarray(last + 1))] : [];
    return text.split('\n');
  }
}

interface Window {
  readonly since: bigint | undefined;
  readonly until: bigint | undefined;
}

/** `late`: beyond the window, as everything after it. */
function place(entry: LogEntry, window: Window): 'early' | 'inside' | 'late' {
  if (window.since === undefined && window.until === undefined) return 'inside';
  const at = nanosecondsOf(entry.time);
  if (at === undefined) return 'inside';
  if (window.since !== undefined && at < window.since) return 'early';
  return window.until !== undefined && at > window.until ? 'late' : 'inside';
}

/** What a reader holds open, the file that it reads first; closed together, however the reading ends. */
interface Reading {
  readonly held: HeldFile[];
  reader: LineReader | undefined;
}

/** The kernel stamps files with a clock that lags some milliseconds behind the one that stamps lines. */
const clockSlackNano = 1_000_000_000n;

/** Files that have nothing for this reading: nothing was written to a file after its last modification. */
function skippedBySince(held: readonly HeldFile[], since: bigint | undefined): number {
  if (since === undefined) return 0;
  const first = held.findIndex((file) => file.modifiedNano + clockSlackNano >= since);
  return first < 0 ? Math.max(0, held.length - 1) : first;
}

async function begin(path: string, options: LogReadOptions): Promise<Reading> {
  const held = await holdFiles(path);
  const tail = options.tail === undefined ? { index: 0, offset: 0 } : await tailPosition(held, options.tail);
  const skipped = skippedBySince(held, options.sinceNano);
  const index = Math.max(tail.index, skipped);
  await closeFiles(held.splice(0, index));
  const file = held[0];
  return { held, reader: file ? new LineReader(file, index === tail.index ? tail.offset : 0) : undefined };
}

/** Goes on to the next file; false when there is none. */
async function advance(reading: Reading): Promise<boolean> {
  const next = reading.held[1];
  if (!next) return false;
  await closeFiles(reading.held.splice(0, 1));
  reading.reader = new LineReader(next, 0);
  return true;
}

/** A reader that is slower than the writer must not keep all deleted files on the disk: beyond this it may miss some. */
const maxHeld = 8;

/** Opens files that came with rotations since, so that they stay readable even if they are rotated away before their turn. */
async function holdNewer(path: string, reading: Reading): Promise<void> {
  if (reading.held.length >= maxHeld) return;
  const newest = reading.held.at(-1);
  if (newest && (await inodeOf(path)) === newest.inode) return;
  reading.held.push(...(await holdFiles(path, newest)));
  const first = reading.held[0];
  if (!reading.reader && first) reading.reader = new LineReader(first, 0);
}

/** Lines of what is there now. Each file is read to its present end, so that a flood does not make it endless. */
async function* presentLines(reading: Reading): AsyncGenerator<string[]> {
  while (reading.reader) {
    const limit = reading.reader.file.size;
    for (let lines = await reading.reader.next(limit); lines; lines = await reading.reader.next(limit))
      yield lines;
    if (!(await advance(reading))) return;
  }
}

/** Lines as they come, until the output has ended or the reader is told to stop. */
async function* followedLines(
  ctx: Ctx,
  path: string,
  reading: Reading,
  ended: Promise<unknown>,
): AsyncGenerator<string[]> {
  const wakeups = new LogWakeups(path);
  const wake = (): void => wakeups.notify();
  const state = { hasEnded: false };
  const markEnded = (): void => {
    state.hasEnded = true;
    wake();
  };
  void ended.then(markEnded, markEnded);
  ctx.signal.addEventListener('abort', wake, { once: true });
  try {
    while (!ctx.signal.aborted) {
      // Both are looked at before the reading: what comes in between is found in the next round.
      const isLast = state.hasEnded;
      await holdNewer(path, reading);
      const isComplete = reading.held.length > 1;
      const { reader } = reading;
      for (let lines = await reader?.next(Infinity); lines; lines = await reader?.next(Infinity)) {
        yield lines;
        if (ctx.signal.aborted) return;
        await holdNewer(path, reading);
      }
      // A file is only left when a newer one was there before its end was read: nothing is added to it after that.
      if (isComplete) await advance(reading);
      else if (reading.held.length > 1) continue;
      else if (isLast) return;
      else await wakeups.wait();
    }
  } finally {
    ctx.signal.removeEventListener('abort', wake);
    wakeups.close();
  }
}

/** Entries over rotated files, oldest first. */
export async function* readJsonFile(
  ctx: Ctx,
  path: string,
  options: LogReadOptions,
): AsyncGenerator<LogEntry> {
  const reading = await begin(path, options);
  const window: Window = { since: options.sinceNano, until: options.untilNano };
  try {
    const source = options.follow
      ? followedLines(ctx, path, reading, options.ended ?? new Promise(() => {}))
      : presentLines(reading);
    for await (const lines of source) {
      for (const line of lines) {
        const entry = parseEntry(line);
        if (!entry) continue;
        const where = place(entry, window);
        if (where === 'late') return;
        if (where === 'inside') yield entry;
        if (ctx.signal.aborted) return;
      }
    }
  } finally {
    await closeFiles(reading.held);
  }
}
