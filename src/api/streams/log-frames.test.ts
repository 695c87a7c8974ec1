import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogBatch } from '../../core/log-batch.ts';
import { renderBatch } from './log-frames.ts';

const entries = [
  { stream: 'stdout', line: Buffer.from('one\n'), time: '2026-01-02T03:04:05.5Z' },
  {
    stream: 'stderr',
    line: Buffer.from('zwei ä\n'),
    time: '2026-01-02T03:04:06Z',
    attributes: { tag: 'a b', env: 'ä=1' },
  },
  { stream: 'stdout', line: Buffer.from('piece'), time: '2026-01-02T03:04:07Z' },
] as const;

function frames(bytes: Buffer): [number, string][] {
  const found: [number, string][] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at + 4);
    assert.deepEqual(bytes.subarray(at + 1, at + 4), Buffer.alloc(3));
    found.push([bytes[at] ?? 0, bytes.toString('utf8', at + 8, at + 8 + length)]);
    at += 8 + length;
  }
  return found;
}

test('a batch on the wire: framed or plain, with times and details before the lines', () => {
  const render = (framed: boolean, timestamps: boolean, details: boolean): Buffer =>
    renderBatch(LogBatch.of(entries), { framed, timestamps, details });
  assert.deepEqual(frames(render(true, false, false)), [
    [1, 'one\n'],
    [2, 'zwei ä\n'],
    [1, 'piece'],
  ]);
  assert.equal(render(false, false, false).toString(), 'one\nzwei ä\npiece');
  assert.deepEqual(frames(render(true, true, true)), [
    [1, '2026-01-02T03:04:05.500000000Z  one\n'],
    [2, '2026-01-02T03:04:06.000000000Z env=%C3%A4%3D1,tag=a%20b zwei ä\n'],
    [1, '2026-01-02T03:04:07.000000000Z  piece'],
  ]);
  assert.equal(render(false, false, true).toString(), ' one\nenv=%C3%A4%3D1,tag=a%20b zwei ä\n piece');
});
