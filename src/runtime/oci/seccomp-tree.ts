/**
 * Makes a compiled seccomp filter smaller and quicker without changing what it says. libseccomp compares the number of a system
 * call with every number that it knows, one after another; the kernel translates and evaluates all of that at every start (a
 * tenth of its work for a container). Here the numbers of a same outcome become ranges, found by a binary search. Pure.
 *
 * The rewriting is exact: the filter is followed for every value that its comparisons can tell apart. What depends on arguments
 * stays as it is, and a filter with any other instruction than libseccomp's is handed back untouched.
 */

export interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

const LD_ABS = 0x20;
const AND_K = 0x54;
const JA = 0x05;
const JEQ_K = 0x15;
const JGT_K = 0x25;
const JGE_K = 0x35;
const JSET_K = 0x45;
const RET_K = 0x06;

/** Offsets in struct seccomp_data: the number at 0, the architecture (AUDIT_ARCH_*) at 4. */
const NUMBER = 0;
const ARCH = 4;
const LARGEST = 0xffff_ffff;

const isComparison = (code: number): boolean => code === JEQ_K || code === JGT_K || code === JGE_K;

const holds = (code: number, a: number, k: number): boolean =>
  code === JEQ_K ? a === k : code === JGT_K ? a > k : a >= k;

export function decodeFilter(bytes: Buffer): Instruction[] {
  return Array.from({ length: bytes.length / 8 }, (_, index) => ({
    code: bytes.readUInt16LE(index * 8),
    jt: bytes.readUInt8(index * 8 + 2),
    jf: bytes.readUInt8(index * 8 + 3),
    k: bytes.readUInt32LE(index * 8 + 4),
  }));
}

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(({ code, jt, jf, k }, index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jt, index * 8 + 2);
    bytes.writeUInt8(jf, index * 8 + 3);
    bytes.writeUInt32LE(k, index * 8 + 4);
  });
  return bytes;
}

/** What becomes of a call: decided, or to be looked at further from this instruction of the original on. */
type Outcome = { readonly ret: number } | { readonly at: number };

class NotOurs extends Error {}

/** Follows the filter as far as number and architecture decide. */
function outcomeOf(program: readonly Instruction[], arch: number, number: number): Outcome {
  let accumulator = -1;
  for (let at = 0; ;) {
    const one = program[at];
    if (one === undefined) throw new NotOurs();
    if (one.code === LD_ABS) {
      if (one.k !== NUMBER && one.k !== ARCH) return { at };
      accumulator = one.k === ARCH ? arch : number;
      at += 1;
    } else if (one.code === RET_K) return { ret: one.k };
    else if (one.code === JA) at += 1 + one.k;
    else {
      if (!isComparison(one.code) || accumulator < 0) throw new NotOurs();
      at += 1 + (holds(one.code, accumulator, one.k) ? one.jt : one.jf);
    }
  }
}

const known = new Set([LD_ABS, AND_K, JA, JEQ_K, JGT_K, JGE_K, JSET_K, RET_K]);

/** Where an instruction may go on. Jumps only lead forward. */
function nextOf(at: number, { code, jt, jf, k }: Instruction): readonly number[] {
  if (code === RET_K) return [];
  if (code === JA) return [at + 1 + k];
  return isComparison(code) || code === JSET_K ? [at + 1 + jt, at + 1 + jf] : [at + 1];
}

/** The values of the field at which a comparison of it may change its mind, in order, 0 first. */
function boundaries(program: readonly Instruction[], field: number): number[] {
  const found = new Set([0]);
  /** What the accumulator may hold when an instruction begins, by the offset that it was loaded from. */
  const held = program.map(() => new Set<number>());
  program.forEach((one, at) => {
    const here = held[at] ?? new Set<number>();
    if (isComparison(one.code) && here.has(field)) {
      found.add(one.k);
      if (one.k < LARGEST) found.add(one.k + 1);
    }
    const after = one.code === LD_ABS ? [one.k] : here;
    for (const next of nextOf(at, one)) for (const offset of after) held[next]?.add(offset);
  });
  return [...found].sort((a, b) => a - b);
}

interface Range {
  readonly from: number;
  readonly outcome: Outcome;
}

const isSame = (a: Outcome, b: Outcome): boolean =>
  'ret' in a ? 'ret' in b && a.ret === b.ret : 'at' in b && a.at === b.at;

const areSame = (a: readonly Range[], b: readonly Range[]): boolean =>
  a.length === b.length &&
  a.every(({ from, outcome }, index) => {
    const other = b[index];
    return other?.from === from && isSame(other.outcome, outcome);
  });

function rangesOf(program: readonly Instruction[], values: readonly number[], arch: number): Range[] {
  const ranges: Range[] = [];
  for (const from of values) {
    const outcome = outcomeOf(program, arch, from);
    const last = ranges.at(-1);
    if (last === undefined || !isSame(last.outcome, outcome)) ranges.push({ from, outcome });
  }
  return ranges;
}

/** Instructions of the original that a call may still reach after the tree. */
function reachable(program: readonly Instruction[], starts: readonly number[]): number[] {
  const seen = new Set<number>();
  const open = [...starts];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const one = program[at];
    if (one === undefined) throw new NotOurs();
    if (seen.has(at)) continue;
    seen.add(at);
    open.push(...nextOf(at, one));
  }
  return [...seen].sort((a, b) => a - b);
}

/** An instruction whose jump is not measured yet: `to` is a place in the original. */
type Draft = Instruction | { readonly to: number };

const leaf = (outcome: Outcome): Draft[] =>
  'ret' in outcome ? [{ code: RET_K, jt: 0, jf: 0, k: outcome.ret }] : [{ to: outcome.at }];

/** The lower half follows the comparison; the distance to the upper one has 8 bits, beyond which a jump of its own takes over. */
function split(k: number, lower: readonly Draft[], upper: readonly Draft[]): Draft[] {
  if (lower.length <= 255) return [{ code: JGE_K, jt: lower.length, jf: 0, k }, ...lower, ...upper];
  return [{ code: JGE_K, jt: 0, jf: 1, k }, { code: JA, jt: 0, jf: 0, k: lower.length }, ...lower, ...upper];
}

function tree(ranges: readonly Range[]): Draft[] {
  const [first] = ranges;
  if (first === undefined) throw new NotOurs();
  if (ranges.length === 1) return leaf(first.outcome);
  const middle = ranges.length >> 1;
  const pivot = ranges[middle];
  return split(pivot?.from ?? 0, tree(ranges.slice(0, middle)), tree(ranges.slice(middle)));
}

const load = (k: number): Instruction => ({ code: LD_ABS, jt: 0, jf: 0, k });

/** Architectures from this value on, up to the next group's, for which the numbers mean the same. */
interface Group {
  readonly from: number;
  readonly ranges: readonly Range[];
}

/** One tree for the architectures, and in each of its leaves one for the numbers. */
function dispatch(program: readonly Instruction[]): Draft[] {
  const values = boundaries(program, NUMBER);
  const groups: Group[] = [];
  for (const from of boundaries(program, ARCH)) {
    const ranges = rangesOf(program, values, from);
    const last = groups.at(-1);
    if (last === undefined || !areSame(last.ranges, ranges)) groups.push({ from, ranges });
  }
  const numbers = (ranges: readonly Range[]): Draft[] =>
    ranges.length === 1 ? tree(ranges) : [load(NUMBER), ...tree(ranges)];
  const build = (some: readonly Group[]): Draft[] => {
    const [first] = some;
    if (first === undefined) throw new NotOurs();
    if (some.length === 1) return numbers(first.ranges);
    const middle = some.length >> 1;
    return split(some[middle]?.from ?? 0, build(some.slice(0, middle)), build(some.slice(middle)));
  };
  return [load(ARCH), ...build(groups)];
}

function assemble(program: readonly Instruction[]): Instruction[] {
  const head = dispatch(program);
  const starts = head.flatMap((draft) => ('to' in draft ? [draft.to] : []));
  const kept = reachable(program, starts);
  const place = new Map(kept.map((at, index) => [at, head.length + index]));
  const distance = (from: number, to: number): number => (place.get(to) ?? Number.NaN) - from - 1;
  const tail = kept.map((at): Instruction => {
    const one = program[at] ?? load(0);
    const here = place.get(at) ?? 0;
    if (one.code === JA) return { ...one, k: distance(here, at + 1 + one.k) };
    if (!isComparison(one.code) && one.code !== JSET_K) return one;
    return { ...one, jt: distance(here, at + 1 + one.jt), jf: distance(here, at + 1 + one.jf) };
  });
  const settled = head.map((draft, index): Instruction =>
    'to' in draft ? { code: JA, jt: 0, jf: 0, k: distance(index, draft.to) } : draft,
  );
  return [...settled, ...tail];
}

/** The same filter, quicker; the given one where there is nothing to win or something unknown in it. */
export function quickerFilter(bytes: Buffer): Buffer {
  const program = decodeFilter(bytes);
  if (program.some(({ code }) => !known.has(code))) return bytes;
  try {
    const better = assemble(program);
    return better.length < program.length ? encode(better) : bytes;
  } catch (error) {
    if (error instanceof NotOurs) return bytes;
    throw error;
  }
}
