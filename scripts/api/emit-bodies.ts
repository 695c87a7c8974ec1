/**
 * The request bodies as Go sees them: structs with their fields in Go's own type syntax. The decoder builds itself from
 * these strings when a body of the kind first comes in, so that loading costs next to nothing.
 */

import { goAliases, goEmbedded, goFields, goStructs, olderFields } from './go-names.ts';
import { bodySchema, refName, type Schema, type Spec } from './spec.ts';

interface Collected {
  readonly spec: Spec;
  readonly structs: Map<string, string>;
}

const scalars: Readonly<Record<string, string>> = {
  boolean: 'bool',
  string: 'string',
  number: 'float64',
  integer: 'int',
};

function isEmptyStruct(schema: Schema): boolean {
  return schema.type === 'object' && Array.isArray(schema.enum) && schema.properties === undefined;
}

/** The Go type of a schema found at `place` (`Definition.Field`); structs met are collected. */
function goType(collected: Collected, schema: Schema, place: string): string {
  const fixed = goFields[place];
  // What lies behind a fixed name is still walked, because it may hold structs.
  const derived = derivedType(collected, schema, place);
  return fixed ?? derived;
}

function derivedType(collected: Collected, schema: Schema, place: string): string {
  if (schema.$ref !== undefined) {
    const name = refName(schema.$ref);
    return derivedType(collected, collected.spec.definitions[name] ?? {}, name);
  }
  const [only, ...more] = schema.allOf ?? [];
  if (only !== undefined && more.length === 0) return derivedType(collected, only, place);
  if (schema.allOf !== undefined || schema.properties !== undefined) return struct(collected, schema, place);
  if (isEmptyStruct(schema)) return 'struct{}';
  if (schema.type === 'array') return `[]${goType(collected, schema.items ?? {}, place)}`;
  if (schema.type === 'object') {
    const values = schema.additionalProperties;
    return typeof values === 'object' ? `map[string]${goType(collected, values, place)}` : 'map[string]any';
  }
  if (schema.format === 'int64') return 'int64';
  if (/^uint\d+$/.test(schema.format ?? '')) return schema.format ?? '';
  return scalars[schema.type ?? ''] ?? 'any';
}

/** Embedded structs (`allOf`) are one flat list of fields, as encoding/json treats them. */
function fieldsOf(collected: Collected, schema: Schema, place: string): [string, string][] {
  if (schema.$ref !== undefined) {
    const name = refName(schema.$ref);
    return fieldsOf(collected, collected.spec.definitions[name] ?? {}, name);
  }
  const inherited = (schema.allOf ?? []).flatMap((part) => {
    const embedded = part.$ref === undefined ? undefined : goEmbedded[refName(part.$ref)];
    const fields = fieldsOf(collected, part, place);
    return embedded === undefined
      ? fields
      : fields.map(([name, type]): [string, string] => [name, `${type}:${embedded}`]);
  });
  const own = Object.entries(schema.properties ?? {}).map(([name, property]): [string, string] => [
    name,
    goType(collected, property, `${place}.${name}`),
  ]);
  return [...inherited, ...own, ...Object.entries(olderFields[place] ?? {})];
}

function struct(collected: Collected, schema: Schema, place: string): string {
  const name = goStructs[place] ?? `types.${place.replaceAll('.', '')}`;
  if (!collected.structs.has(name)) {
    collected.structs.set(name, '');
    const fields = new Map(fieldsOf(collected, schema, place));
    collected.structs.set(name, [...fields].map(([field, type]) => `${field}:${type}`).join(' '));
  }
  return name;
}

function table(name: string, doc: string, entries: Iterable<readonly [string, string]>): string {
  const lines = [...entries].map(([key, value]) => `  '${key}': '${value}',`);
  return `/** ${doc} */\nexport const ${name}: Readonly<Record<string, string>> = {\n${lines.join('\n')}\n};`;
}

export function emitBodies(spec: Spec, header: string): string {
  const collected: Collected = { spec, structs: new Map() };
  const bodies: [string, string][] = [];
  for (const operation of spec.operations) {
    const schema = bodySchema(operation);
    if (schema !== undefined) bodies.push([operation.id, derivedType(collected, schema, operation.id)]);
  }
  return [
    header,
    table('bodies', 'Go type of the JSON body, by operation id.', bodies),
    table(
      'structs',
      'Fields of each struct: `Name:type`, with `:Struct` where it comes from an embedded one; separated by spaces.',
      collected.structs,
    ),
    table('aliases', 'Named Go types that are no structs.', Object.entries(goAliases)),
    '',
  ].join('\n\n');
}
