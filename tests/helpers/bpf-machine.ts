/** The kernel's classic BPF machine, as far as seccomp filters use it. */

import assert from 'node:assert/strict';
import type { Instruction } from '../../src/runtime/oci/seccomp-tree.ts';

const LD = 0x20;
const AND = 0x54;
const JEQ = 0x15;
const JGT = 0x25;
const JGE = 0x35;
const JSET = 0x45;
const RET = 0x06;
const JA = 0x05;

export interface Call {
  readonly number: number;
  readonly arch: number;
  /** Words of struct seccomp_data from offset 8 on. */
  readonly words: readonly number[];
}

/** What the filter says of the call, and after how many instructions. */
export function run(
  program: readonly Instruction[],
  call: Call,
): { readonly action: number; readonly steps: number } {
  const data = [call.number, call.arch, ...call.words];
  let a = 0;
  let at = 0;
  for (let steps = 1; ; steps++) {
    const one = program[at];
    assert.ok(one, `left the filter at ${at}`);
    const jump = (holds: boolean): number => at + 1 + (holds ? one.jt : one.jf);
    if (one.code === RET) return { action: one.k, steps };
    if (one.code === LD) a = data[one.k / 4] ?? 0;
    else if (one.code === AND) a = (a & one.k) >>> 0;
    at =
      one.code === JA
        ? at + 1 + one.k
        : one.code === JEQ
          ? jump(a === one.k)
          : one.code === JGT
            ? jump(a > one.k)
            : one.code === JGE
              ? jump(a >= one.k)
              : one.code === JSET
                ? jump((a & one.k) !== 0)
                : at + 1;
  }
}
