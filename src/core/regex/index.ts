/**
 * Regular expressions of users, matched in time linear in the text whatever the pattern: JavaScript's own engine back-tracks, and
 * a filter like `(a+)+$` would stop the daemon.
 */

import { BadPattern, isWord, parsePattern, type Node, type Test } from './parse.ts';

type Instruction =
  | { readonly op: 'one'; readonly test: Test }
  | { readonly op: 'at'; readonly place: 'start' | 'end' | 'word' | 'inside' }
  | { readonly op: 'split'; readonly to: readonly number[] }
  | { readonly op: 'match' };

/** What a pattern may grow to, repeats written out. */
const maxProgram = 2000;

class Compiler {
  readonly program: Instruction[] = [];

  emit(instruction: Instruction): number {
    if (this.program.length >= maxProgram) throw new BadPattern('the pattern is too large');
    return this.program.push(instruction) - 1;
  }

  /** Fills in where a `split` leads, once that is known. */
  link(at: number, to: readonly number[]): void {
    this.program[at] = { op: 'split', to };
  }

  add(node: Node): void {
    switch (node.kind) {
      case 'one':
        this.emit({ op: 'one', test: node.test });
        return;
      case 'at':
        this.emit({ op: 'at', place: node.place });
        return;
      case 'all':
        for (const part of node.parts) this.add(part);
        return;
      case 'any':
        this.#addAny(node.options);
        return;
      case 'repeat':
        this.#addRepeat(node.node, node.min, node.max);
        return;
    }
  }

  #addAny(options: readonly Node[]): void {
    const fork = this.emit({ op: 'split', to: [] });
    const begins: number[] = [];
    const ends: number[] = [];
    for (const option of options) {
      begins.push(this.program.length);
      this.add(option);
      ends.push(this.emit({ op: 'split', to: [] }));
    }
    this.link(fork, begins);
    for (const end of ends) this.link(end, [this.program.length]);
  }

  #addRepeat(node: Node, min: number, max: number): void {
    for (let count = 0; count < min; count += 1) this.add(node);
    if (max === Infinity) {
      const fork = this.emit({ op: 'split', to: [] });
      this.add(node);
      this.emit({ op: 'split', to: [fork] });
      this.link(fork, [fork + 1, this.program.length]);
      return;
    }
    const forks: number[] = [];
    for (let count = min; count < max; count += 1) {
      forks.push(this.emit({ op: 'split', to: [] }));
      this.add(node);
    }
    for (const fork of forks) this.link(fork, [fork + 1, this.program.length]);
  }
}

function holds(place: string, codes: readonly number[], at: number): boolean {
  if (place === 'start') return at === 0;
  if (place === 'end') return at === codes.length;
  const word = (index: number): boolean => {
    const code = codes[index];
    return code !== undefined && isWord(code);
  };
  return (word(at - 1) !== word(at)) === (place === 'word');
}

/** All instructions that are reached from `begin` without a character; true when the end is among them. */
function follow(
  program: readonly Instruction[],
  begin: number,
  codes: readonly number[],
  at: number,
  reached: Set<number>,
): boolean {
  const stack = [begin];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (reached.has(next)) continue;
    reached.add(next);
    const instruction = program[next];
    if (instruction?.op === 'match') return true;
    if (instruction?.op === 'split') stack.push(...instruction.to);
    if (instruction?.op === 'at' && holds(instruction.place, codes, at)) stack.push(next + 1);
  }
  return false;
}

/** Whether the pattern matches anywhere in the text. */
function search(program: readonly Instruction[], text: string): boolean {
  const codes = Array.from(text, (char) => char.codePointAt(0) ?? 0);
  let current = new Set<number>();
  for (let at = 0; at <= codes.length; at += 1) {
    // A match may begin anywhere.
    if (follow(program, 0, codes, at, current)) return true;
    const code = codes[at];
    if (code === undefined) return false;
    const next = new Set<number>();
    for (const index of current) {
      const instruction = program[index];
      if (instruction?.op !== 'one' || !instruction.test(code)) continue;
      if (follow(program, index + 1, codes, at + 1, next)) return true;
    }
    current = next;
  }
  return false;
}

/** A test of texts for a pattern; undefined when it is no regular expression (or one of more than reasonable size). */
export function compilePattern(pattern: string): ((text: string) => boolean) | undefined {
  const compiler = new Compiler();
  try {
    compiler.add(parsePattern(pattern));
    compiler.emit({ op: 'match' });
  } catch (error) {
    if (error instanceof BadPattern) return undefined;
    throw error;
  }
  return (text) => search(compiler.program, text);
}
