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
