/**
 * Columns aligned as Go's text/tabwriter does with docker's settings: cells end with a tab, a column is as wide as its
 * widest cell among neighbouring lines, at least `minWidth`, with `padding` blanks behind.
 */

export interface Columns {
  readonly minWidth: number;
  readonly padding: number;
}

/** docker's setting for lists. */
export const LIST_COLUMNS: Columns = { minWidth: 10, padding: 3 };

const runes = (text: string): number => {
  let count = 0;
  for (const _ of text) count++;
  return count;
};

/** Width of each cell that ends with a tab, by line and column. */
function widths(lines: readonly (readonly string[])[], { minWidth, padding }: Columns): number[][] {
  const out = lines.map((line) => Array.from({ length: line.length - 1 }, () => 0));
  const deepest = Math.max(...lines.map((line) => line.length - 1), 0);
  for (let column = 0; column < deepest; column++) {
    let start = 0;
    while (start < lines.length) {
      let end = start;
      let width = minWidth;
      for (; end < lines.length && (lines[end]?.length ?? 0) - 1 > column; end++) {
        width = Math.max(width, runes(lines[end]?.[column] ?? '') + padding);
      }
      for (let line = start; line < end; line++) {
        const row = out[line];
        if (row !== undefined) row[column] = width;
      }
      start = Math.max(end, start + 1);
    }
  }
  return out;
}

/** Aligns text whose cells are separated by tabs; line ends stay. */
export function alignColumns(text: string, columns: Columns = LIST_COLUMNS): string {
  const lines = text.split('\n').map((line) => line.split('\t'));
  const all = widths(lines, columns);
  return lines
    .map((cells, line) =>
      cells
        .map((cell, column) => {
          const width = all[line]?.[column];
          return width === undefined ? cell : cell + ' '.repeat(Math.max(0, width - runes(cell)));
        })
        .join(''),
    )
    .join('\n');
}
