/** Go's fmt verbs that templates use. */
import { quote } from './quote.ts';
import { goText, numberText, typeName } from './values.ts';

const VERB = /%([-+# 0]*)(\d+|\*)?(?:\.(\d+))?([a-zA-Z%])/g;

function pad(text: string, flags: string, width: number): string {
  const missing = width - Array.from(text).length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  if (flags.includes('0')) {
    const sign = /^[+-]/.exec(text)?.[0] ?? '';
    return sign + '0'.repeat(missing) + text.slice(sign.length);
  }
  return ' '.repeat(missing) + text;
}

function hexOf(value: unknown): string {
  return typeof value === 'number' ? value.toString(16) : Buffer.from(goText(value)).toString('hex');
}

function formatNumber(verb: string, value: unknown, precision: number | undefined): string | undefined {
  if (typeof value !== 'number') return undefined;
  switch (verb) {
    case 'd':
      return Number.isInteger(value) ? numberText(value) : undefined;
    case 'f':
    case 'F':
      return value.toFixed(precision ?? 6);
    case 'e':
      return value.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, 'e$10$2');
    case 'g':
      return numberText(value);
    case 'b':
      return value.toString(2);
    case 'o':
      return value.toString(8);
    case 'c':
      return String.fromCodePoint(value);
    default:
      return undefined;
  }
}

function formatOne(verb: string, value: unknown, precision: number | undefined): string {
  switch (verb) {
    case 'v':
      return goText(value);
    case 's':
      if (typeof value === 'number' || typeof value === 'boolean') break;
      return precision === undefined ? goText(value) : Array.from(goText(value)).slice(0, precision).join('');
    case 'q':
      if (typeof value === 'string') return quote(value);
      if (Array.isArray(value)) return `[${value.map((v) => quote(goText(v))).join(' ')}]`;
      break;
    case 't':
      if (typeof value === 'boolean') return String(value);
      break;
    case 'x':
      return hexOf(value);
    case 'X':
      return hexOf(value).toUpperCase();
    case 'T':
      return typeName(value);
    default: {
      const number = formatNumber(verb, value, precision);
      if (number !== undefined) return number;
    }
  }
  return `%!${verb}(${typeName(value)}=${goText(value)})`;
}

export function sprintf(format: string, args: readonly unknown[]): string {
  let next = 0;
  const text = format.replaceAll(
    VERB,
    (_all, flags: string, width: string | undefined, precision: string | undefined, verb: string) => {
      if (verb === '%') return '%';
      const columns = width === '*' ? Number(args[next++]) : Number(width ?? '0');
      if (next >= args.length) return `%!${verb}(MISSING)`;
      const value = args[next++];
      let one = formatOne(verb, value, precision === undefined ? undefined : Number(precision));
      if (flags.includes('+') && typeof value === 'number' && value >= 0 && /[dfeg]/.test(verb))
        one = `+${one}`;
      return pad(one, verb === 's' || verb === 'v' || verb === 'q' ? flags.replace('0', '') : flags, columns);
    },
  );
  const extra = args.slice(next);
  if (extra.length === 0) return text;
  return `${text}%!(EXTRA ${extra.map((v) => `${typeName(v)}=${goText(v)}`).join(', ')})`;
}

/** Go's Sprint: blanks between operands when neither is a string. */
export function sprint(args: readonly unknown[]): string {
  return args
    .map((arg, at) => {
      const gap = at > 0 && typeof arg !== 'string' && typeof args[at - 1] !== 'string';
      return (gap ? ' ' : '') + goText(arg);
    })
    .join('');
}
