/**
 * Regular expressions whose matching takes time in proportion to the text, whatever the pattern: all ways through the pattern are
 * followed at once, none is gone back on. JavaScript's own may take for ever on `(a+)+$`, and these patterns come with a request.
 */
import { invalid } from '../errors.ts';
import { isWordCode, type CharTest } from './classes.ts';
import { PatternParser, type Pattern } from './syntax.ts';

type Assertion = Extract<Pattern, { readonly kind: 'assert' }>['at'];

type Step =
  | { readonly op: 'char'; readonly test: CharTest }
  | { readonly op: 'assert'; readonly at: Assertion }
  /** Goes on at each of these. */
  | { readonly op: 'split'; targets: number[] }
  | { readonly op: 'match' };

const maxSteps = 2_000;

function emit(steps: Step[], pattern: Pattern): void {
  if (steps.length > maxSteps) throw invalid('error parsing regexp: expression too large');
  switch (pattern.kind) {
    case 'empty':
      return;
    case 'char':
      steps.push({ op: 'char', test: pattern.test });
      return;
    case 'assert':
      steps.push({ op: 'assert', at: pattern.at });
      return;
    case 'sequence':
      for (const part of pattern.parts) emit(steps, part);
      return;
    case 'choice':
      return emitChoice(steps, pattern.parts);
    case 'repeat':
      return emitRepeat(steps, pattern);
  }
}

function emitChoice(steps: Step[], parts: readonly Pattern[]): void {
  const split = { op: 'split' as const, targets: [] as number[] };
  steps.push(split);
  const ends: { op: 'split'; targets: number[] }[] = [];
  for (const part of parts) {
    split.targets.push(steps.length);
    emit(steps, part);
    const end = { op: 'split' as const, targets: [] as number[] };
    steps.push(end);
    ends.push(end);
  }
  for (const end of ends) end.targets.push(steps.length);
}

function emitRepeat(steps: Step[], { part, least, most }: Extract<Pattern, { kind: 'repeat' }>): void {
  for (let count = 0; count < least; count += 1) emit(steps, part);
  if (most === Infinity) {
    const loop = { op: 'split' as const, targets: [] as number[] };
    const at = steps.length;
    steps.push(loop);
    emit(steps, part);
    steps.push({ op: 'split', targets: [at] });
    loop.targets.push(at + 1, steps.length);
    return;
  }
  const skips: { op: 'split'; targets: number[] }[] = [];
  for (let count = least; count < most; count += 1) {
    const skip = { op: 'split' as const, targets: [steps.length + 1] };
    steps.push(skip);
    skips.push(skip);
    emit(steps, part);
  }
  for (const skip of skips) skip.targets.push(steps.length);
}

function holds(at: Assertion, before: number, after: number): boolean {
  switch (at) {
    case 'begin':
      return before < 0;
    case 'end':
      return after < 0;
    case 'line-begin':
      return before < 0 || before === 10;
    case 'line-end':
      return after < 0 || after === 10;
    case 'word':
      return isWordCode(before) !== isWordCode(after);
    case 'no-word':
      return isWordCode(before) === isWordCode(after);
  }
}

export interface LinearRegExp {
  /** Whether any part of the text matches. */
  test(text: string): boolean;
}

class Machine implements LinearRegExp {
  readonly #steps: readonly Step[];

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
  }

  test(text: string): boolean {
    const codes = Array.from(text, (char) => char.codePointAt(0) ?? 0);
    let now = new Set<number>();
    for (let at = 0; at <= codes.length; at += 1) {
      const before = codes[at - 1] ?? -1;
      const code = codes[at] ?? -1;
      // A match may begin anywhere.
      if (this.#reach(now, 0, before, code)) return true;
      if (code < 0) return false;
      const next = new Set<number>();
      const after = codes[at + 1] ?? -1;
      for (const index of now) {
        const step = this.#steps[index];
        if (step?.op === 'char' && step.test(code) && this.#reach(next, index + 1, code, after)) return true;
      }
      now = next;
    }
    return false;
  }

  /** Adds a step and all that is reached from it without a character; true when the end is among them. */
  #reach(into: Set<number>, start: number, before: number, after: number): boolean {
    const open = [start];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (into.has(index)) continue;
      into.add(index);
      const step = this.#steps[index];
      if (step === undefined || step.op === 'match') return true;
      if (step.op === 'split') open.push(...step.targets);
      else if (step.op === 'assert' && holds(step.at, before, after)) open.push(index + 1);
    }
    return false;
  }
}

/** Reads a pattern in the syntax of Go's regexp; `invalid` in its words when it is none. */
export function linearRegExp(pattern: string): LinearRegExp {
  const steps: Step[] = [];
  emit(steps, new PatternParser(pattern).parse());
  steps.push({ op: 'match' });
  return new Machine(steps);
}
