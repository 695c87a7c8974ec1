import { randomInt } from 'node:crypto';
import { invalid } from '../../core/errors.ts';
import { adjectives, surnames } from './words.ts';

const pattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
// Names become directory entries, DNS labels and cookie values elsewhere; Docker sets no limit, file systems do.
const maxLength = 255;

/** A name as the user wrote it (`web`, `/web`) in the form that records hold; `invalid` in Docker's words. */
export function checkName(given: string): string {
  const name = given.startsWith('/') ? given.slice(1) : given;
  if (!pattern.test(name) || name.length > maxLength) {
    throw invalid(`Invalid container name (${given}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
  return name;
}

const pick = (words: readonly string[]): string => words[randomInt(words.length)] ?? '';

/** `brave_turing`; a digit joins when that is taken, and in the end the id itself serves. */
export function randomName(taken: (name: string) => boolean, fallback: string): string {
  const tries = 6;
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const name = `${pick(adjectives)}_${pick(surnames)}${attempt === 0 ? '' : randomInt(10)}`;
    if (!taken(name)) return name;
  }
  return fallback;
}
