/** The log that the shim writes: Docker's bytes, pieces of long lines, rotation under a reader, full disks. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { backgroundCtx } from '../../src/core/ctx.ts';
import { entriesOf } from '../../src/core/log-batch.ts';
import type { TaskSpec } from '../../src/core/ports/runtime.ts';
import { createJsonFileDriver } from '../../src/logs/index.ts';
import { textOf } from '../contracts/runtime.contract.ts';
import { dockerLine, dockerPieces } from './docker-encoding.ts';
import { createMachine, type ShimMachine } from './machine.ts';

const ctx = backgroundCtx();

interface Written {
  readonly log: string;
  readonly stream: string;
  readonly time: string;
}

/** Every byte value, every kind of broken UTF-8, and what Docker escapes. */
function awkwardBytes(): Buffer {
  const single = Buffer.from(Array.from({ length: 256 }, (_, i) => (i === 0x0a ? 0x20 : i)));
  const lines = [
    Buffer.from('plain\n'),
    single,
    Buffer.from('\nhtml <b>&"quoted" \\back\\ \ttab\rreturn \u007f del\n'),
    Buffer.from('umlaut ä euro € clef 𝄞 separators \u2028 \u2029 bom \ufeff replacement \ufffd\n'),
    // Overlong, surrogate, beyond the last, cut short, lone continuation.
    Buffer.from([
      0xc0, 0x80, 0xe0, 0x80, 0x80, 0xed, 0xa0, 0x80, 0xf4, 0x90, 0x80, 0x80, 0xf5, 0xe2, 0x82, 0x0a,
    ]),
    Buffer.from([0xe2, 0x82, 0x41, 0x80, 0xbf, 0xf0, 0x9f, 0x98, 0x0a]),
    Buffer.from('\n\n'),
    Buffer.from('no newline at the end'),
  ];
  return Buffer.concat(lines);
}

describe('the json-file log', () => {
  let machine: ShimMachine;
  before(async () => {
    machine = await createMachine('crun');
  });
  after(() => machine.close());

  /** Runs `cat` over the bytes; returns the log's text. */
  const logOf = async (bytes: Buffer): Promise<string> => {
    writeFileSync(join(machine.directory, 'rootfs/tmp/input'), bytes);
    const spec = machine.spec(['/bin/cat', '/tmp/input']);
    const task = await machine.runtime.start(ctx, spec);
    await task.exit;
    const log = await machine.readLog(spec);
    task.release();
    await machine.runtime.cleanup(ctx, spec);
    return log;
  };

  const expectSame = (log: string, bytes: Buffer): void => {
    const lines = log.split('\n').slice(0, -1);
    const expected = dockerPieces(bytes);
    assert.equal(lines.length, expected.length);
    lines.forEach((line, index) => {
      const { time } = JSON.parse(line) as Written;
      assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z$/);
      assert.equal(line, dockerLine(expected[index] ?? Buffer.alloc(0), 'stdout', time), `entry ${index}`);
    });
  };

  it("has Docker's bytes for whatever the container writes", async () => {
    const bytes = awkwardBytes();
    expectSame(await logOf(bytes), bytes);
  });

  it('cuts long lines into pieces of 16 KiB; only the last has the newline', async () => {
    const line = (size: number): string => 'y'.repeat(size);
    const bytes = Buffer.from(
      [16383, 16384, 16385, 32768, 100_000, 0, 5].map((size) => `${line(size)}\n`).join(''),
    );
    const log = await logOf(bytes);
    expectSame(log, bytes);
    const entries = log
      .split('\n')
      .slice(0, -1)
      .map((text) => JSON.parse(text) as Written);
    // All pieces of a line carry the time of its first byte.
    const long = entries.filter((entry) => entry.log.length > 0).slice(-9);
    assert.ok(new Set(long.slice(0, 7).map((entry) => entry.time)).size === 1);
  });

  it('puts extra attributes into each line', async () => {
    const base = machine.spec(['/bin/echo', 'hello']);
    const spec: TaskSpec = { ...base, log: { ...base.log, attributes: { tag: 'a"b', team: 'x' } } };
    const task = await machine.runtime.start(ctx, spec);
    await task.exit;
    assert.match(
      await machine.readLog(spec),
      /^\{"log":"hello\\n","stream":"stdout","attrs":\{"tag":"a\\"b","team":"x"\},"time":"[^"]+"\}\n$/,
    );
    task.release();
    await machine.runtime.cleanup(ctx, spec);
  });

  it('keeps bytes that are no UTF-8, when asked to', async () => {
    const bytes = awkwardBytes();
    writeFileSync(join(machine.directory, 'rootfs/tmp/input'), bytes);
    const base = machine.spec(['/bin/cat', '/tmp/input']);
    const spec: TaskSpec = { ...base, log: { ...base.log, keepBytes: true } };
    const task = await machine.runtime.start(ctx, spec);
    await task.exit;
    const found: Buffer[] = [];
    const all = { tail: undefined, sinceNano: undefined, untilNano: undefined, follow: false };
    for await (const entry of entriesOf(createJsonFileDriver().read(ctx, spec.log.path ?? '', all)))
      found.push(Buffer.from(entry.line));
    assert.deepEqual(Buffer.concat(found), bytes);
    task.release();
    await machine.runtime.cleanup(ctx, spec);
  });

  it('numbers go on where they stopped, and files of the first release are the first to go', async () => {
    const base = machine.spec(['/bin/seq', '1', '4000']);
    const path = base.log.path ?? '';
    const spec: TaskSpec = { ...base, log: { path, maxSize: 50_000, maxFile: 4 } };
    for (const name of ['1', '2', '0000000007', '0000000008.gz']) writeFileSync(`${path}.${name}`, '');
    const task = await machine.runtime.start(ctx, spec);
    await task.exit;
    const names = readdirSync(dirname(path))
      .filter((name) => name.startsWith('json.log'))
      .sort();
    // About 300 KB: more than three files are full, and with the one that is written no other may stay.
    const full = names.slice(1).map((name) => Number(name.split('.').at(-1)));
    assert.deepEqual(full, [full[0], (full[0] ?? 0) + 1, (full[0] ?? 0) + 2]);
    assert.ok((full[0] ?? 0) >= 9, names.join(' '));
    task.release();
    await machine.runtime.cleanup(ctx, spec);
  });

  it('a receiver that is slow slows the container down; one that takes nothing costs lines, which are counted', async () => {
    const count = 100_000;
    const text = (n: number): string => `${String(n).padStart(99, '.')}\n`;
    const input = Array.from({ length: count }, (_, index) => text(index)).join('');
    writeFileSync(join(machine.directory, 'rootfs/tmp/input'), input);
    const base = machine.spec(['/bin/cat', '/tmp/input']);
    const path = base.log.path ?? '';
    const spec: TaskSpec = {
      ...base,
      log: { path, maxSize: 1_000_000, maxFile: 5, unsentMax: 3_000_000 },
    };
    const cursor = (segment: number): void =>
      writeFileSync(`${path}.cursor`, `1 ${String(segment).padStart(20, '0')} ${'0'.repeat(20)}\n`);
    const full = (): number =>
      readdirSync(dirname(path)).filter((name) => /^json\.log\.\d+$/.test(name)).length;
    const readAll = async (): Promise<string[]> => {
      const all = { tail: undefined, sinceNano: undefined, untilNano: undefined, follow: false };
      const lines: string[] = [];
      for await (const entry of entriesOf(createJsonFileDriver().read(ctx, path, all)))
        lines.push(entry.line.toString());
      return lines;
    };
    cursor(1);
    const task = await machine.runtime.start(ctx, spec);
    const run = { isOver: false };
    void task.exit.then(() => (run.isOver = true));
    // The receiver takes a file when the container is held at the limit. The last megabyte waits in the pipe when it exits.
    for (let sent = 0; !run.isOver; sent += 1) {
      while (!run.isOver && full() < sent + 2) await delay(5);
      const waiting = full() - sent;
      if (full() < 12) assert.ok(waiting <= 4, `${waiting} files wait`);
      cursor(sent + 2);
    }
    assert.deepEqual(
      await readAll(),
      Array.from({ length: count }, (_, index) => text(index)),
    );
    task.release();
    await machine.runtime.cleanup(ctx, spec);
    // The second run meets a receiver that is gone: it ends all the same, and says what is missing.
    const again = await machine.runtime.start(ctx, spec);
    await again.exit;
    const record = JSON.parse(readFileSync(spec.exitPath, 'utf8')) as { lostLogLines: number };
    assert.ok(record.lostLogLines > 0);
    const lines = await readAll();
    const notices = lines.filter((line) => line.startsWith('slipway: the receiver of the log took nothing'));
    const missing = notices.reduce((sum, line) => sum + Number(/: (\d+) lines/.exec(line)?.[1]), 0);
    assert.equal(missing, record.lostLogLines);
    assert.equal(lines.length - notices.length + missing, 2 * count);
    again.release();
    await machine.runtime.cleanup(ctx, spec);
  });

  it('a reader that follows a flood through rotations meets every line once, while it is no more than the kept files behind', async () => {
    const count = 400_000;
    // Four blocks of lines, each of some eight megabytes; never more than two that the reader has not met.
    const block = 100_000;
    const base = machine.spec(['/bin/sh', '-c', 'while read -r from to; do seq $from $to; done'], {
      openStdin: true,
      stdinOnce: true,
      attachments: [{ stdin: true, stdout: false, stderr: false }],
    });
    const spec: TaskSpec = { ...base, log: { path: base.log.path, maxSize: 2_000_000, maxFile: 12 } };
    const driver = createJsonFileDriver();
    const task = await machine.runtime.start(ctx, spec);
    const input = task.attachments[0]?.stdin;
    assert.ok(input);
    const flood = (from: number): unknown => input.write(`${from} ${from + block - 1}\n`);
    flood(1);
    flood(1 + block);
    let expected = 1;
    const options = {
      tail: undefined,
      sinceNano: undefined,
      untilNano: undefined,
      follow: true,
      ended: task.exit,
    };
    for await (const entry of entriesOf(driver.read(ctx, spec.log.path ?? '', options))) {
      assert.equal(entry.line.toString(), `${expected}\n`);
      expected += 1;
      if (expected === count + 1) input.end();
      else if (expected % block === 1 && expected + block < count) flood(expected + block);
    }
    assert.equal(expected, count + 1);
    const directory = dirname(spec.log.path ?? '');
    const logs = readdirSync(directory)
      .filter((name) => name.startsWith('json.log'))
      .sort();
    assert.equal(logs.length, 12);
    const sizes = logs.map((name) => readFileSync(join(directory, name)).length);
    for (const size of sizes.slice(1)) assert.ok(size >= 2_000_000 && size < 2_000_200, `rotated at ${size}`);
    // What is left on disk are the newest lines, without a gap.
    const kept: number[] = [];
    for await (const entry of entriesOf(driver.read(ctx, spec.log.path ?? '', { ...options, follow: false })))
      kept.push(Number(entry.line));
    assert.equal(kept.at(-1), count);
    assert.ok(kept.every((value, index) => index === 0 || value === (kept[index - 1] ?? 0) + 1));
    task.release();
    await machine.runtime.cleanup(ctx, spec);
  });

  it('a full disk costs log lines, not the container; the loss is counted and written down', async () => {
    const disk = join(machine.directory, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
    try {
      const base = machine.spec(['/bin/sh', '-c', 'seq 1 200000; echo flooded >&2; cat; echo after'], {
        openStdin: true,
        stdinOnce: true,
        attachments: [{ stdin: true, stdout: true, stderr: true }],
      });
      const spec: TaskSpec = { ...base, log: { path: join(disk, 'json.log'), maxSize: 0, maxFile: 1 } };
      const task = await machine.runtime.start(ctx, spec);
      const [attachment] = task.attachments;
      assert.ok(attachment?.stdin);
      const output = textOf(attachment.stdout);
      assert.equal(
        String(await new Promise((resolve) => attachment.stderr.once('data', resolve))),
        'flooded\n',
      );
      assert.equal(execFileSync('df', ['--output=avail', disk]).toString().split('\n')[1]?.trim(), '0');
      execFileSync('mount', ['-o', 'remount,size=64m', disk]);
      attachment.stdin.end();
      await task.exit;
      const lines = (await output).split('\n').slice(0, -1);
      assert.equal(lines.length, 200_001);
      const log = await machine.readLog(spec);
      const entries = log
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Written);
      const notice = entries.findIndex((entry) =>
        entry.log.startsWith('slipway: the disk of the log was full'),
      );
      assert.ok(notice > 0, 'no notice');
      const lost = Number(/: (\d+) lines/.exec(entries[notice]?.log ?? '')?.[1]);
      assert.ok(lost > 0);
      // All that was written is an unbroken beginning, and nothing is missing but what was counted.
      entries.slice(0, notice).forEach((entry, index) => assert.equal(entry.log, `${index + 1}\n`));
      assert.equal(entries.length - 1 + lost, 200_002);
      assert.equal(entries.at(-1)?.log, 'after\n');
      const record = JSON.parse(readFileSync(spec.exitPath, 'utf8')) as { lostLogLines: number };
      assert.equal(record.lostLogLines, lost);
      task.release();
      await machine.runtime.cleanup(ctx, spec);
    } finally {
      execFileSync('umount', ['-l', disk]);
      rmSync(disk, { recursive: true });
    }
  });
});
