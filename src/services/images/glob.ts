/**
 * Shell patterns as Go's path.Match reads them: `*` and `?` never match a slash. Two pointers, no regular expression:
 * a pattern comes from the outside and must not make the daemon think for long.
 */

interface Step {
  readonly matches: boolean;
  /** Where the pattern goes on. */
  readonly next: number;
}

function matchClass(pattern: string, at: number, char: string): Step | undefined {
  const close = pattern.indexOf(']', at + 2);
  if (close < 0) return undefined;
  const isNegated = pattern[at + 1] === '^';
  let hit = false;
  for (let i = at + (isNegated ? 2 : 1); i < close; i++) {
    const low = pattern[i] ?? '';
    const isRange = pattern[i + 1] === '-' && i + 2 < close;
    const high = isRange ? (pattern[i + 2] ?? '') : low;
    if (isRange) i += 2;
    if (char >= low && char <= high) hit = true;
  }
  return { matches: hit !== isNegated, next: close + 1 };
}

function matchOne(pattern: string, at: number, char: string): Step {
  const token = pattern[at];
  if (token === '?') return { matches: char !== '/', next: at + 1 };
  if (token === '[') return matchClass(pattern, at, char) ?? { matches: false, next: at + 1 };
  if (token === '\\' && at + 1 < pattern.length) return { matches: pattern[at + 1] === char, next: at + 2 };
  return { matches: token === char, next: at + 1 };
}

export function globMatch(pattern: string, text: string): boolean {
  let [p, t] = [0, 0];
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = ++p;
      resume = t;
      continue;
    }
    const step = p < pattern.length ? matchOne(pattern, p, text[t] ?? '') : undefined;
    if (step?.matches === true) {
      p = step.next;
      t++;
    } else if (star >= 0 && text[resume] !== '/') {
      p = star;
      t = ++resume;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** Whether it is a pattern at all: every class is closed and holds something, no escape is the last character. */
export function isPattern(pattern: string): boolean {
  for (let at = 0; at < pattern.length; at++) {
    if (pattern[at] === '\\') {
      if (++at >= pattern.length) return false;
      continue;
    }
    if (pattern[at] !== '[') continue;
    const start = pattern[at + 1] === '^' ? at + 2 : at + 1;
    const close = pattern.indexOf(']', start);
    if (close <= start) return false;
    at = close;
  }
  return true;
}

/** As `globMatch`, but `/**` at the end stands for all below. */
export const matchesPattern = (pattern: string, text: string): boolean =>
  pattern.endsWith('/**') ? text.startsWith(pattern.slice(0, -2)) : globMatch(pattern, text);
