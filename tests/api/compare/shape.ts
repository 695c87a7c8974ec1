/** The shape of a JSON answer as lines `path: type`, and the difference of two. */

/** What a cgroup v1 kernel counts only after a limit for a device was set anywhere on the host: empty or not, by what ran before. */
const countedByChance = /^blkio_stats\.\w+$/;

function walk(value: unknown, path: string, lines: Set<string>): void {
  if (Array.isArray(value)) {
    const items = countedByChance.test(path) ? [] : value;
    for (const item of items) walk(item, `${path}[]`, lines);
    if (items.length === 0) lines.add(`${path}: []`);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      // Keys that are ids or names of things differ by nature.
      const shown = /^[0-9a-f]{64}$|^sha256:/.test(key) ? '*' : key;
      walk(item, path === '' ? shown : `${path}.${shown}`, lines);
    }
  } else lines.add(`${path}: ${value === null ? 'null' : typeof value}`);
}

export function shapeOf(value: unknown): ReadonlySet<string> {
  const lines = new Set<string>();
  walk(value, '', lines);
  return lines;
}

/** `-` is only in the reference, `+` only in ours. */
export function shapeDifference(reference: unknown, ours: unknown): string[] {
  const [left, right] = [shapeOf(reference), shapeOf(ours)];
  return [
    ...[...left].filter((line) => !right.has(line)).map((line) => `- ${line}`),
    ...[...right].filter((line) => !left.has(line)).map((line) => `+ ${line}`),
  ];
}
