/**
 * Decodes parsed JSON as Go's encoding/json decodes it into dockerd's structs: keys match without regard to case, unknown
 * keys are dropped, `null` leaves a field as if absent, and the first wrong type fails with Go's words. The result has the
 * canonical names only. Decoders are built from Go's type syntax the first time a type is met.
 */

import { aliases, structs as docker } from '../generated/bodies.ts';
import { ownStructs } from '../operations.ts';

const structs: Readonly<Record<string, string>> = { ...docker, ...ownStructs };

/** Where the decoder stands, for the message; and the first error met. Go goes on after a wrong type and reports the first. */
export interface DecodeState {
  readonly fields: string[];
  struct: string;
  error: string | undefined;
}

/** Returns undefined for a value that leaves its place empty. */
export type Decoder = (value: unknown, state: DecodeState) => unknown;

const built = new Map<string, Decoder>();

/** The decoder of a Go type, for example `[]string` or `container.HostConfig`. */
export function decoderOf(type: string): Decoder {
  let decoder = built.get(type);
  if (decoder === undefined) {
    decoder = build(type);
    built.set(type, decoder);
  }
  return decoder;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'number';
  return typeof value;
}

function displayType(type: string): string {
  return type.replaceAll('struct{}', 'struct {}').replaceAll('any', 'interface {}');
}

function mismatch(value: unknown, type: string, state: DecodeState, literal = ''): undefined {
  if (state.error !== undefined) return undefined;
  const what = `json: cannot unmarshal ${kindOf(value)}${literal} into Go`;
  state.error =
    state.struct === ''
      ? `${what} value of type ${displayType(type)}`
      : `${what} struct field ${state.struct}.${state.fields.join('.')} of type ${displayType(type)}`;
  return undefined;
}

function build(type: string): Decoder {
  const underlying = aliases[type];
  if (underlying !== undefined) return buildShape(underlying, underlying.includes('[') ? underlying : type);
  return buildShape(type, type);
}

/** `shown` is the name that messages use for it. */
function buildShape(type: string, shown: string): Decoder {
  if (type.startsWith('*')) return decoderOf(type.slice(1));
  if (type.startsWith('[]')) return sliceDecoder(type.slice(2), shown);
  if (type.startsWith('map[string]')) return mapDecoder(type.slice('map[string]'.length), shown);
  switch (type) {
    case 'string':
      return scalarDecoder('string', shown);
    case 'bool':
      return scalarDecoder('boolean', shown);
    case 'float64':
      return (value, state) =>
        value === null
          ? undefined
          : typeof value === 'bigint'
            ? Number(value)
            : scalar(value, 'number', shown, state);
    case 'any':
      return (value) => value;
    case 'struct{}':
      return (value, state) => (value === null || isObject(value) ? {} : mismatch(value, shown, state));
    case '[2]uint':
      return consoleSizeDecoder(shown);
    case 'strslice.StrSlice':
      return stringOrSlice;
  }
  if (structs[type] !== undefined) return structDecoder(type);
  return integerDecoder(type, shown);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function scalar(value: unknown, kind: string, shown: string, state: DecodeState): unknown {
  return typeof value === kind ? value : mismatch(value, shown, state);
}

function scalarDecoder(kind: 'string' | 'boolean', shown: string): Decoder {
  return (value, state) => (value === null ? undefined : scalar(value, kind, shown, state));
}

const integerRanges: Readonly<Record<string, readonly [bigint, bigint]>> = {
  uint: [0n, 2n ** 64n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  uint16: [0n, 65535n],
  int: [-(2n ** 63n), 2n ** 63n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
};

/**
 * Integers that a JavaScript number cannot hold arrive as bigint. They are limits in practice (`MemorySwap` of 2^63-1
 * means none), so those in Go's range become the nearest safe integer.
 */
function integerDecoder(type: string, shown: string): Decoder {
  const underlying = aliases[type] ?? type;
  const [low, high] = integerRanges[underlying] ?? [-(2n ** 63n), 2n ** 63n - 1n];
  return (value, state) => {
    if (value === null) return undefined;
    if (typeof value === 'number' && Number.isInteger(value)) {
      if (value >= Number(low) && value <= Number(high)) return value;
      return mismatch(value, shown, state, ` ${value}`);
    }
    if (typeof value === 'bigint' && value >= low && value <= high) {
      return value < 0n ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;
    }
    const literal = typeof value === 'number' || typeof value === 'bigint' ? ` ${value}` : '';
    return mismatch(value, shown, state, literal);
  };
}

/** What a missing or null element of a slice or map becomes: Go's zero value, null where that is nil. */
function zeroOf(type: string): unknown {
  const underlying = aliases[type] ?? type;
  if (underlying.startsWith('*') || underlying.startsWith('[]') || underlying.startsWith('map[')) return null;
  if (underlying === 'string') return '';
  if (underlying === 'bool') return false;
  if (underlying === 'any') return null;
  return underlying === 'struct{}' || structs[underlying] !== undefined ? {} : 0;
}

function sliceDecoder(element: string, shown: string): Decoder {
  const zero = zeroOf(element);
  return (value, state) => {
    if (value === null) return undefined;
    if (!Array.isArray(value)) return mismatch(value, shown, state);
    const decode = decoderOf(element);
    return value.map((item) => decode(item, state) ?? zero);
  };
}

function mapDecoder(element: string, shown: string): Decoder {
  const zero = zeroOf(element);
  return (value, state) => {
    if (value === null) return undefined;
    if (!isObject(value)) return mismatch(value, shown, state);
    const decode = decoderOf(element);
    const result: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      // Assigning would change the result's prototype; a label may bear this name all the same.
      const item = decode(value[key], state) ?? zero;
      if (key === '__proto__') Object.defineProperty(result, key, { ...visible, value: item });
      else result[key] = item;
    }
    return result;
  };
}

const visible = { enumerable: true, configurable: true, writable: true };

/** Docker's StrSlice takes a single string for a list of one; in its messages the place is of type string. */
function stringOrSlice(value: unknown, state: DecodeState): unknown {
  if (value === null) return undefined;
  if (typeof value === 'string') return [value];
  if (Array.isArray(value) && value.every((item) => typeof item === 'string' || item === null)) {
    return value.map((item) => item ?? '');
  }
  return mismatch(value, 'string', state);
}

/** A Go array of two: short ones are filled with zero, the rest of long ones is dropped. */
function consoleSizeDecoder(shown: string): Decoder {
  return (value, state) => {
    if (value === null) return undefined;
    if (!Array.isArray(value)) return mismatch(value, shown, state);
    const decode = decoderOf('uint');
    return [0, 1].map((index) => decode(value[index] ?? 0, state) ?? 0);
  };
}

interface Field {
  readonly name: string;
  readonly type: string;
  /** The path to it in messages: Go names the struct that it is embedded with. */
  readonly path: readonly string[];
}

function structDecoder(structType: string): Decoder {
  const exact = new Map<string, Field>();
  const folded = new Map<string, Field>();
  for (const part of (structs[structType] ?? '').split(' ')) {
    const [name = '', type = '', embedded] = part.split(':');
    const field = { name, type, path: embedded === undefined ? [name] : [embedded, name] };
    exact.set(field.name, field);
    folded.set(field.name.toLowerCase(), field);
  }
  const shortName = structType.slice(structType.indexOf('.') + 1);
  return (value, state) => {
    if (value === null) return undefined;
    if (!isObject(value)) return mismatch(value, structType, state);
    const result: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      const field = exact.get(key) ?? folded.get(key.toLowerCase());
      if (field === undefined) continue;
      const outer = state.struct;
      state.struct = shortName;
      state.fields.push(...field.path);
      const item = decoderOf(field.type)(value[key], state);
      if (item !== undefined) result[field.name] = item;
      state.fields.length -= field.path.length;
      state.struct = outer;
    }
    return result;
  };
}
