/** Durations as Go writes them and Docker takes them: `1h30m`, `1.5s`, `300ms`, `-2m`. Pure. */

const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

const fractionDigits = 9;

/** Nanoseconds; undefined for what is no duration. `0` needs no unit, everything else does. */
export function parseGoDuration(text: string): bigint | undefined {
  const match = /^([+-]?)(.*)$/s.exec(text);
  const sign = match?.[1] === '-' ? -1n : 1n;
  const rest = match?.[2] ?? '';
  if (rest === '0') return 0n;
  if (rest === '' || rest.length > 100) return undefined;
  const part = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;
  let total = 0n;
  while (part.lastIndex < rest.length) {
    const [, whole = '', fraction = '', unit = ''] = part.exec(rest) ?? [];
    if (unit === '' || (whole === '' && fraction === '')) return undefined;
    const size = units[unit] ?? 0n;
    total += BigInt(whole === '' ? '0' : whole) * size;
    const digits = BigInt(fraction.slice(0, fractionDigits).padEnd(fractionDigits, '0'));
    total += (digits * size) / 10n ** BigInt(fractionDigits);
  }
  return sign * total;
}

/** As Go prints it: `1m30s`, `1.5s`, `300ms`, `0s`. `nanos` is not negative. */
export function formatGoDuration(nanos: bigint): string {
  const decimal = (value: bigint, unit: bigint): string => {
    const digits = unit.toString().length - 1;
    const fraction = (value % unit).toString().padStart(digits, '0').replace(/0+$/, '');
    return fraction === '' || digits === 0 ? String(value / unit) : `${value / unit}.${fraction}`;
  };
  const second = 1_000_000_000n;
  if (nanos === 0n) return '0s';
  if (nanos < 1_000n) return `${nanos}ns`;
  if (nanos < 1_000_000n) return `${decimal(nanos, 1_000n)}µs`;
  if (nanos < second) return `${decimal(nanos, 1_000_000n)}ms`;
  const minutes = nanos / (60n * second);
  const seconds = `${decimal(nanos % (60n * second), second)}s`;
  if (minutes === 0n) return seconds;
  return minutes < 60n ? `${minutes}m${seconds}` : `${minutes / 60n}h${minutes % 60n}m${seconds}`;
}
