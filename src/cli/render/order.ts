/** Natural order of names: runs of digits compare as numbers, so that `net10` follows `net9`. */

function compareChunk(a: string, b: string): number {
  const numeric = /^\d/.test(a) && /^\d/.test(b);
  if (numeric) {
    const difference = Number(a) - Number(b);
    if (difference !== 0) return difference;
    return a.length - b.length;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

export function compareNames(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? [];
  const right = b.match(/\d+|\D+/g) ?? [];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const order = compareChunk(left[at] ?? '', right[at] ?? '');
    if (order !== 0) return order;
  }
  return left.length - right.length;
}
