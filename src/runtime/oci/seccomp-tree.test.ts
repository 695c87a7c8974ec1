import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../../../tests/helpers/bpf-machine.ts';
import { decodeFilter, quickerFilter } from './seccomp-tree.ts';

const AUDIT_X86_64 = 0xc000_003e;
const AUDIT_I386 = 0x4000_0003;
const ALLOW = 0x7fff_0000;
const EPERM = 0x5_0001;
const KILL = 0;

type Line = readonly [code: number, k: number, jt?: number, jf?: number];
const LD = 0x20;
const AND = 0x54;
const JEQ = 0x15;
const JGE = 0x35;
const RET = 0x06;
const JA = 0x05;

function filterOf(lines: readonly Line[]): Buffer {
  const bytes = Buffer.alloc(lines.length * 8);
  lines.forEach(([code, k, jt = 0, jf = 0], index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jt, index * 8 + 2);
    bytes.writeUInt8(jf, index * 8 + 3);
    bytes.writeUInt32LE(k, index * 8 + 4);
  });
  return bytes;
}

/** 300 numbers allowed one by one with gaps, in either architecture, and one that depends on its first argument. */
function chain(): Buffer {
  const allowed = Array.from({ length: 300 }, (_, index) => index).filter((number) => number % 50 !== 7);
  const lines: Line[] = [
    [LD, 4],
    [JEQ, AUDIT_X86_64, 1, 0],
    [JA, 0],
    [LD, 0],
    [JGE, 0x4000_0000, 0, 1],
    [RET, KILL],
  ];
  for (const number of allowed) lines.push([JEQ, number, 0, 1], [RET, ALLOW]);
  lines.push(
    [JEQ, 307, 0, 5],
    [LD, 16],
    [AND, 0xffff_fffd],
    [JEQ, 4, 0, 1],
    [RET, EPERM],
    [RET, ALLOW],
    [RET, 0x5_0026],
  );
  lines[2] = [JA, lines.length - 3];
  lines.push([JEQ, AUDIT_I386, 1, 0], [RET, KILL], [LD, 0]);
  for (const number of allowed) lines.push([JEQ, number + 1, 0, 1], [RET, ALLOW]);
  lines.push([RET, EPERM]);
  return filterOf(lines);
}

function assertSame(before: Buffer, after: Buffer): void {
  const [old, next] = [decodeFilter(before), decodeFilter(after)];
  const numbers = [
    ...Array.from({ length: 700 }, (_, index) => index),
    0x3fff_ffff,
    0x4000_0000,
    0x4000_0007,
    0xffff_ffff,
  ];
  const arches = [
    AUDIT_X86_64,
    AUDIT_I386,
    0,
    0xffff_ffff,
    AUDIT_X86_64 - 1,
    AUDIT_X86_64 + 1,
    AUDIT_I386 + 1,
  ];
  for (const arch of arches)
    for (const number of numbers)
      for (const word of [0, 2, 4, 6, 0xffff_ffff]) {
        const call = { arch, number, words: Array.from({ length: 14 }, () => word) };
        assert.equal(run(next, call).action, run(old, call).action, JSON.stringify(call));
      }
}

test('every call has the same answer, in far fewer instructions and steps', () => {
  const before = chain();
  const after = quickerFilter(before);
  assertSame(before, after);
  assert.ok(after.length < before.length / 4, `${after.length} of ${before.length} bytes`);
  const call = { arch: AUDIT_X86_64, number: 299, words: [] };
  assert.ok(run(decodeFilter(after), call).steps < 15);
  assert.equal(quickerFilter(after).equals(after), true, 'there is nothing more to win');
});

test('a tree with far branches jumps over more than a comparison can reach', () => {
  const lines: Line[] = [[LD, 0]];
  for (let number = 0; number < 600; number++)
    lines.push([JEQ, number, 0, 1], [RET, 0x5_0000 + (number % 3)]);
  lines.push([RET, KILL]);
  const before = filterOf([[LD, 4], [JEQ, AUDIT_X86_64, 1, 0], [RET, KILL], ...lines]);
  const after = quickerFilter(before);
  const [old, next] = [decodeFilter(before), decodeFilter(after)];
  for (let number = 0; number < 700; number++)
    for (const arch of [AUDIT_X86_64, AUDIT_I386]) {
      const call = { arch, number, words: [] };
      assert.equal(run(next, call).action, run(old, call).action, String(number));
    }
});

test('a filter with anything unknown in it is left as it is', () => {
  const strange: readonly (readonly Line[])[] = [
    // A register that is not followed.
    [
      [LD, 0],
      [0x07, 0],
      [JEQ, 1, 0, 1],
      [RET, ALLOW],
      [RET, KILL],
      [RET, KILL],
    ],
    // A computation on the number.
    [
      [LD, 0],
      [AND, 0xff],
      [JEQ, 1, 0, 1],
      [RET, ALLOW],
      [RET, KILL],
      [RET, KILL],
    ],
    // A way out of the filter.
    [
      [LD, 0],
      [JEQ, 1, 0, 9],
      [RET, ALLOW],
    ],
    // Nothing to win.
    [[RET, ALLOW]],
  ];
  for (const lines of strange) {
    const bytes = filterOf(lines);
    assert.equal(quickerFilter(bytes), bytes);
  }
});
