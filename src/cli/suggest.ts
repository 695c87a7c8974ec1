/** A word for slips of the hand in command names. */
import { commandPaths } from './command-table.ts';

/** Number of letters to change, add, remove or swap to turn `a` into `b`. */
export function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      const above = rows[i - 1] ?? [];
      let best = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + cost);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) best = Math.min(best, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}

/** A line that names the commands meant, or undefined. */
export function suggestion(words: readonly string[]): string | undefined {
  const wanted = words.join(' ');
  const known = commandPaths().filter((path) => path.split(' ').length === words.length);
  const best = Math.min(...known.map((path) => distance(path, wanted)));
  const near = best <= 2 ? known.filter((path) => distance(path, wanted) === best) : [];
  const last = words.at(-1) ?? '';
  const sameVerb = words.length === 1 ? commandPaths().filter((path) => path.endsWith(` ${last}`)) : [];
  const all = [...near, ...sameVerb].slice(0, 4);
  return all.length === 0
    ? undefined
    : `Did you mean ${all.map((path) => `'slipway ${path}'`).join(' or ')}?`;
}
