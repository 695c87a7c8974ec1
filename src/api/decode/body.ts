/** Text of a request body to the value that a route works with. Pure. */

import { invalid } from '../../core/errors.ts';
import { bodies } from '../generated/bodies.ts';
import { ownBodies } from '../operations.ts';
import { decoderOf, type DecodeState } from './go-types.ts';
import { goSyntaxError } from './go-syntax.ts';

/** Integers beyond 2^53 keep their digits as bigint; V8 tells a reviver the source text. */
function exactIntegers(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== 'number' || Number.isSafeInteger(value) || source === undefined) return value;
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** How dockerd begins what it says about a body. */
const bodyPrefix = 'invalid JSON: ';

const longNumber = /\d{16}/;

/** Parses JSON; fails with Go's words behind `prefix`. */
export function parseJson(text: string, prefix = ''): unknown {
  try {
    if (longNumber.test(text)) return JSON.parse(text, exactIntegers);
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const words = goSyntaxError(text);
    if (words === undefined) throw invalid('unexpected content after JSON', cause);
    throw invalid(prefix + (words === 'EOF' ? 'got EOF while reading request body' : words), cause);
  }
}

/** Decodes parsed JSON into a Go type; `invalid` with Go's words on a wrong type. */
export function decodeAs(type: string, value: unknown, prefix = ''): unknown {
  const state: DecodeState = { fields: [], struct: '', error: undefined };
  const decoded = decoderOf(type)(value, state);
  if (state.error !== undefined) throw invalid(prefix + state.error);
  return decoded;
}

/** The body of an operation: only known fields, with their canonical names. Empty text and `null` give `{}`. */
export function decodeBody(operation: string, text: string): unknown {
  const type = bodies[operation] ?? ownBodies[operation] ?? 'any';
  return decodeAs(type, parseJson(text, bodyPrefix), bodyPrefix) ?? {};
}
