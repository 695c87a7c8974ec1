/** What every LogDriver that can be read must do. Run on the fake and on every driver, which all read what the shim wrote. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { backgroundCtx, type Ctx } from '../../src/core/ctx.ts';
import { isKind } from '../../src/core/errors.ts';
import { entriesOf, type LogEntry } from '../../src/core/log-batch.ts';
import type { LogDriver, LogReadOptions } from '../../src/core/ports/log-driver.ts';

export interface LogDriverHarness {
  readonly driver: LogDriver;
  /** A path of a log that does not exist yet. */
  newPath(): string;
  /** Appends as the shim does. */
  write(
    path: string,
    entries: readonly { stream: 'stdout' | 'stderr'; line: string; time: string }[],
  ): Promise<void>;
  /** Moves the log aside, keeping at most `maxFile` files in all. */
  rotate(path: string, maxFile: number): Promise<void>;
  /** Compresses what was moved aside; absent where nothing is. */
  compress?(path: string): Promise<void>;
  /** Options that the driver cannot do without. */
  readonly options?: Readonly<Record<string, string>>;
  /** Files of the log that are there; absent where there are none. */
  left?(path: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

const everything: LogReadOptions = {
  tail: undefined,
  sinceNano: undefined,
  untilNano: undefined,
  follow: false,
};

const second = (n: number): string => `2026-01-02T03:04:${String(n).padStart(2, '0')}.5Z`;
const nano = (n: number): bigint =>
  BigInt(Date.parse(`2026-01-02T03:04:${String(n).padStart(2, '0')}.500Z`)) * 1_000_000n;

async function linesOf(entries: AsyncIterable<LogEntry>): Promise<string[]> {
  const lines: string[] = [];
  for await (const entry of entries) lines.push(entry.line.toString());
  return lines;
}

/** Declares the suite. */
export function logDriverContract(name: string, create: () => Promise<LogDriverHarness>): void {
  describe(`LogDriver contract: ${name}`, () => {
    let harness: LogDriverHarness;
    const ctx = backgroundCtx();
    const read = (path: string, options: Partial<LogReadOptions> = {}, context: Ctx = ctx) =>
      entriesOf(harness.driver.read(context, path, { ...everything, ...options }));
    const write = (path: string, from: number, to: number): Promise<void> =>
      harness.write(
        path,
        Array.from({ length: to - from }, (_, i) => ({
          stream: 'stdout',
          line: `line ${from + i}\n`,
          time: second(from + i),
        })),
      );
    const rotate = async (path: string, maxFile: number): Promise<void> => {
      await harness.rotate(path, maxFile);
      await harness.compress?.(path);
    };
    const numbered = (from: number, to: number): string[] =>
      Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`);

    before(async () => {
      harness = await create();
    });
    after(async () => {
      await harness.close();
    });

    it('reads nothing where nothing was written', async () => {
      assert.deepEqual(await linesOf(read(harness.newPath())), []);
    });

    it('gives streams, bytes and times back as they were written', async () => {
      const path = harness.newPath();
      const entries = [
        { stream: 'stdout', line: 'a "quoted" <tag> & tab\t\n', time: second(1) },
        { stream: 'stderr', line: 'no newline', time: second(2) },
      ] as const;
      await harness.write(path, entries);
      const found: unknown[] = [];
      for await (const entry of read(path)) found.push({ ...entry, line: entry.line.toString() });
      assert.deepEqual(found, entries);
    });

    it('reads over rotated files, oldest first', async () => {
      const path = harness.newPath();
      for (const from of [0, 3, 6]) {
        await write(path, from, from + 3);
        await rotate(path, 4);
      }
      await write(path, 9, 10);
      assert.deepEqual(await linesOf(read(path)), numbered(0, 10));
    });

    it('tails, also over rotated files', async () => {
      const path = harness.newPath();
      await write(path, 0, 5);
      await rotate(path, 3);
      await write(path, 5, 8);
      for (const tail of [0, 1, 3, 4, 8, 100]) {
        assert.deepEqual(
          await linesOf(read(path, { tail })),
          numbered(Math.max(0, 8 - tail), 8),
          `tail ${tail}`,
        );
      }
    });

    it('keeps to since and until, both included', async () => {
      const path = harness.newPath();
      await write(path, 0, 5);
      await rotate(path, 3);
      await write(path, 5, 8);
      assert.deepEqual(await linesOf(read(path, { sinceNano: nano(3), untilNano: nano(6) })), numbered(3, 7));
      assert.deepEqual(await linesOf(read(path, { sinceNano: nano(6) })), numbered(6, 8));
      assert.deepEqual(await linesOf(read(path, { tail: 3, untilNano: nano(6) })), numbered(5, 7));
    });

    it('follows through rotations until the output has ended', async () => {
      const path = harness.newPath();
      await write(path, 0, 2);
      const ended = Promise.withResolvers<void>();
      const iterator = read(path, { follow: true, tail: 1, ended: ended.promise })[Symbol.asyncIterator]();
      const next = async (): Promise<string> => String((await iterator.next()).value?.line);
      assert.equal(await next(), 'line 1\n');
      const waiting = next();
      await write(path, 2, 3);
      assert.equal(await waiting, 'line 2\n');
      await write(path, 3, 5);
      await rotate(path, 2);
      await write(path, 5, 6);
      assert.deepEqual([await next(), await next(), await next()], numbered(3, 6));
      await write(path, 6, 7);
      ended.resolve();
      assert.equal(await next(), 'line 6\n');
      assert.equal((await iterator.next()).done, true);
    });

    it('follows a log that does not exist yet', async () => {
      const path = harness.newPath();
      const ended = Promise.withResolvers<void>();
      const lines = linesOf(read(path, { follow: true, ended: ended.promise }));
      await write(path, 0, 2);
      ended.resolve();
      assert.deepEqual(await lines, numbered(0, 2));
    });

    it('stops following when it is cancelled', async () => {
      const path = harness.newPath();
      await write(path, 0, 1);
      const controller = new AbortController();
      const iterator = read(path, { follow: true }, { ...ctx, signal: controller.signal })[
        Symbol.asyncIterator
      ]();
      assert.equal(String((await iterator.next()).value?.line), 'line 0\n');
      const waiting = iterator.next();
      controller.abort();
      assert.equal((await waiting).done, true);
    });

    it('removes all files, twice', async () => {
      const path = harness.newPath();
      await write(path, 0, 1);
      await rotate(path, 3);
      await write(path, 1, 2);
      await harness.driver.remove(path);
      await harness.driver.remove(path);
      assert.deepEqual(await linesOf(read(path)), []);
      assert.deepEqual((await harness.left?.(path)) ?? [], []);
    });

    it('gives one stream when asked to; tails count the lines of both', async () => {
      const path = harness.newPath();
      const entries = [0, 1, 2, 3].map((n) => ({
        stream: n % 2 === 0 ? ('stdout' as const) : ('stderr' as const),
        line: `line ${n}\n`,
        time: second(n),
      }));
      await harness.write(path, entries);
      assert.deepEqual(await linesOf(read(path, { only: 'stderr' })), ['line 1\n', 'line 3\n']);
      assert.deepEqual(await linesOf(read(path, { only: 'stdout', tail: 2 })), ['line 2\n']);
    });

    it('a reader that is behind when files are rotated away meets every line once', async () => {
      const path = harness.newPath();
      await write(path, 0, 2);
      const ended = Promise.withResolvers<void>();
      const iterator = read(path, { follow: true, ended: ended.promise })[Symbol.asyncIterator]();
      assert.equal(String((await iterator.next()).value?.line), 'line 0\n');
      for (const from of [2, 4, 6]) {
        await rotate(path, 3);
        await write(path, from, from + 2);
      }
      ended.resolve();
      const lines: string[] = [];
      for await (const entry of { [Symbol.asyncIterator]: () => iterator }) lines.push(String(entry.line));
      // The file that is read is held open; of those that came and went meanwhile the loss is said.
      const missing = lines.filter((line) => line.startsWith('slipway: '));
      const present = lines.filter((line) => !line.startsWith('slipway: '));
      assert.deepEqual(present, [...new Set(present)]);
      assert.ok(present.includes('line 1\n') && present.includes('line 7\n'));
      assert.equal(present.length === 7, missing.length === 0, lines.join(''));
    });

    it('follows up to a time', async () => {
      const path = harness.newPath();
      await write(path, 0, 3);
      assert.deepEqual(await linesOf(read(path, { follow: true, untilNano: nano(1) })), numbered(0, 2));
    });

    it("checks options in Docker's words", () => {
      const { driver } = harness;
      assert.throws(
        () => driver.validate({ ...harness.options, nosuch: '1' }),
        (error) =>
          isKind(error, 'invalid') &&
          /unknown log opt 'nosuch' for (.* log driver|log driver .*)/.test(error.message),
      );
    });
  });
}
