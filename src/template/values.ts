/** How template values are looked up, tested and printed. Values are JSON plus `Struct`. */
export type Method = (...args: unknown[]) => unknown;

/** A value with a fixed set of fields, as Go structs have; asking for another field is an error. */
export class Struct {
  /** As Go names it in messages, for example `*formatter.ContainerContext`. */
  readonly typeName: string;
  readonly #fields: Readonly<Record<string, () => unknown>>;
  readonly #methods: Readonly<Record<string, Method>>;

  /** `methods` are called with arguments (`{{.Label "x"}}`) and are no part of the value's JSON. */
  constructor(
    typeName: string,
    fields: Readonly<Record<string, () => unknown>>,
    methods: Readonly<Record<string, Method>> = {},
  ) {
    this.typeName = typeName;
    this.#fields = fields;
    this.#methods = methods;
  }

  method(name: string): Method | undefined {
    return Object.hasOwn(this.#methods, name) ? this.#methods[name] : undefined;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  get(name: string): unknown {
    return this.#fields[name]?.();
  }

  names(): string[] {
    return Object.keys(this.#fields);
  }
}

export type MapValue = Readonly<Record<string, unknown>>;

export const isMap = (value: unknown): value is MapValue =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Struct);

/** JSON objects that stand for Go structs; all others are maps. */
const structs = new WeakSet<object>();
/** Empty lists that stand for Go's nil slices: `[]` in text, `null` in JSON. */
const nilSlices = new WeakSet<object>();

export const isJsonStruct = (value: object): boolean => structs.has(value);

export function markStruct<T extends object>(value: T): T {
  structs.add(value);
  return value;
}

export function nilSlice(): unknown[] {
  const list: unknown[] = [];
  nilSlices.add(list);
  return list;
}

/** Go's truth: zero, empty, nil are false. */
export function isTrue(value: unknown): boolean {
  if (value == null) return false;
  if (typeof value === 'string') return value !== '';
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value) !== 0;
  if (typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.length > 0;
  if (isMap(value)) return Object.keys(value).length > 0;
  return true;
}

/** The Go type that messages name. */
export function typeName(value: unknown): string {
  if (value == null) return '<nil>';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  if (typeof value === 'boolean') return 'bool';
  if (Array.isArray(value)) return '[]interface {}';
  if (value instanceof Struct) return value.typeName;
  return 'map[string]interface {}';
}

function floatText(value: number): string {
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -4 && exponent < 21) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

export function numberText(value: number): string {
  if (Number.isInteger(value)) return BigInt(value).toString();
  return floatText(value);
}

export const sortedKeys = (map: MapValue): string[] =>
  Object.keys(map).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));

/** Go's `%v`. */
export function goText(value: unknown): string {
  if (value == null) return '<nil>';
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  if (value instanceof Struct)
    return `{${value
      .names()
      .map((n) => goText(value.get(n)))
      .join(' ')}}`;
  const map = value as MapValue;
  if (isJsonStruct(map)) return `{${Object.values(map).map(goText).join(' ')}}`;
  return `map[${sortedKeys(map)
    .map((key) => `${key}:${goText(map[key])}`)
    .join(' ')}]`;
}

const escapeHtml = (json: string): string =>
  json.replaceAll(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Compact JSON. A Struct's fields are sorted and escaped for HTML, as docker marshals its formatting contexts. */
export function toJson(value: unknown): string {
  if (value instanceof Struct) {
    const fields = Object.fromEntries(
      value
        .names()
        .sort()
        .map((name) => [name, value.get(name)]),
    );
    return escapeHtml(toJson(fields));
  }
  return (
    JSON.stringify(value, (_key, item: unknown) => {
      if (Array.isArray(item)) return nilSlices.has(item) ? null : item;
      // Go marshals maps in the order of their keys and structs in that of their fields.
      return isMap(item) && !isJsonStruct(item)
        ? Object.fromEntries(sortedKeys(item).map((key) => [key, item[key]]))
        : item;
    }) ?? 'null'
  );
}
