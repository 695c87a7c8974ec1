import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headroom, LogBatch } from '../../core/log-batch.ts';
import { LineDecoder } from './decode.ts';
import { lineBytes } from './entry.ts';

interface Entry {
  readonly log: string;
  readonly stream: string;
  readonly attrs?: Readonly<Record<string, string>>;
  readonly time: string;
}

function decodeAll(lines: readonly string[]): LogBatch {
  const text = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const batch = new LogBatch(text.length + headroom, 2);
  const decoder = new LineDecoder();
  let from = 0;
  for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10, from)) {
    decoder.decode(text, from, end, batch);
    from = end + 1;
  }
  return batch;
}

const times = ['2026-01-02T03:04:05.123456789Z', '2026-01-02T03:04:05.1Z', '2026-01-02T03:04:06Z'];
const pieces = [
  'plain',
  '"',
  '\\',
  '\n',
  '\t',
  '\r',
  '\u0000',
  '<&>',
  'ä€',
  '𝄞',
  '\u2028',
  '\udcff',
  '\udc80',
  '{"log":"',
  '","stream":"stdout","time":"',
  '\\n',
  '\\"',
  '',
  'u00',
  '\u007f',
  '/',
  '\b\f',
];

test('any entry is decoded to what JSON.parse has, whatever the entries before it', () => {
  // A generator of one's own: the same sequence each time.
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % below;
  };
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  const entries = Array.from({ length: 3000 }, (): Entry => {
    const log = `${Array.from({ length: random(6) }, () => pick(pieces)).join('')}${pick(['\n', '\n', '\n', ''])}`;
    const attrs = random(8) === 0 ? { attrs: { tag: pick(pieces) } } : {};
    return { log, stream: pick(['stdout', 'stdout', 'stderr']), ...attrs, time: pick(times) };
  });
  const batch = decodeAll(entries.map((entry) => JSON.stringify(entry)));
  assert.equal(batch.count, entries.length);
  entries.forEach(({ log, stream, attrs, time }, index) => {
    const found = batch.entry(index);
    assert.deepEqual(
      [found.line, found.stream, found.time, found.attributes],
      [lineBytes(log), stream, time, attrs],
      JSON.stringify(log),
    );
  });
});

test('damaged lines are left out, and those around them are not touched', () => {
  const good = (log: string): string => `{"log":"${log}\\n","stream":"stdout","time":"${times[0]}"}`;
  const batch = decodeAll([
    good('a'),
    '{"log":"cut sh',
    `{"log":"b\\n","stream":"stdout","time":"${times[0]}"`,
    good('c').slice(3),
    '\0\0\0\0',
    '{"log":"\\ud800x\\n","stream":"stdout","time":1}',
    good('d'),
  ]);
  const lines = Array.from({ length: batch.count }, (_, index) => batch.entry(index).line.toString());
  assert.deepEqual(lines, ['a\n', 'd\n']);
});
