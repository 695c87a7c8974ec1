/** What the numbers are held against, and the table of them. */

export interface Row {
  readonly what: string;
  readonly unit: 'ms' | 'starts/s' | 'queries/s' | 'MB' | 'MB/s' | 'times';
  readonly slipway: number;
  readonly dockerd: number | undefined;
  /** `ratio`: of ours to dockerd's; `value`: of ours alone. */
  readonly bar:
    | { readonly of: 'ratio' | 'value'; readonly most?: number; readonly least?: number }
    | undefined;
}

export interface Verdict extends Row {
  readonly ratio: number | undefined;
  readonly holds: boolean | undefined;
}

export function judge(row: Row): Verdict {
  const ratio = row.dockerd === undefined ? undefined : row.slipway / row.dockerd;
  if (row.bar === undefined) return { ...row, ratio, holds: undefined };
  const value = row.bar.of === 'ratio' ? ratio : row.slipway;
  if (value === undefined || Number.isNaN(value)) return { ...row, ratio, holds: false };
  const holds = value <= (row.bar.most ?? Infinity) && value >= (row.bar.least ?? -Infinity);
  return { ...row, ratio, holds };
}

const number = (value: number | undefined): string =>
  value === undefined ? '' : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);

function ratioText(ratio: number | undefined): string {
  if (ratio === undefined) return '';
  return ratio < 1 ? `1/${(1 / ratio).toFixed(1)}` : `${ratio.toFixed(2)}x`;
}

function barText(row: Row): string {
  const { bar } = row;
  if (bar === undefined) return '';
  const show = bar.of === 'ratio' ? ratioText : (value: number): string => `${value} ${row.unit}`;
  return bar.most === undefined ? `>= ${show(bar.least ?? 0)}` : `<= ${show(bar.most)}`;
}

export function renderTable(verdicts: readonly Verdict[]): string {
  const cells = verdicts.map((each) => [
    each.what,
    `${number(each.slipway)} ${each.unit}`,
    each.dockerd === undefined ? '' : `${number(each.dockerd)} ${each.unit}`,
    ratioText(each.ratio),
    barText(each),
    each.holds === undefined ? '' : each.holds ? 'holds' : 'MISSED',
  ]);
  const rows = [['', 'slipway', 'dockerd', 'ratio', 'bar', ''], ...cells];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
