/** Validates documents against the JSON schemas of the OCI image specification: what those schemas use of JSON Schema, no more. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly definitions?: Readonly<Record<string, Schema>>;
}

const files = new Map<string, Schema>();

function schemaFile(name: string): Schema {
  const known = files.get(name);
  if (known !== undefined) return known;
  const schema = JSON.parse(readFileSync(join(import.meta.dirname, 'oci-schema', name), 'utf8')) as Schema;
  files.set(name, schema);
  return schema;
}

/** `file.json#/definitions/x`, relative to the file that it stands in. */
function follow(reference: string, from: string): { readonly schema: Schema; readonly file: string } {
  const [file = '', path = ''] = reference.split('#');
  const name = file === '' ? from : file;
  let schema = schemaFile(name);
  for (const part of path.split('/').filter((each) => each !== ''))
    schema = (schema as Readonly<Record<string, Schema>>)[part] ?? {};
  return { schema, file: name };
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'number' && Number.isInteger(value) ? 'integer' : typeof value;
}

function checkScalar(schema: Schema, value: unknown): string[] {
  const wrong: string[] = [];
  if (schema.enum !== undefined && !schema.enum.includes(value))
    wrong.push(`not one of ${schema.enum.join()}`);
  if (typeof value === 'string') {
    if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value))
      wrong.push(`${value} does not match ${schema.pattern}`);
    if (schema.format === 'date-time' && Number.isNaN(Date.parse(value))) wrong.push(`${value} is no date`);
  }
  if (typeof value === 'number') {
    if (value < (schema.minimum ?? -Infinity)) wrong.push(`less than ${schema.minimum}`);
    if (value > (schema.maximum ?? Infinity)) wrong.push(`more than ${schema.maximum}`);
  }
  return wrong;
}

function checkObject(schema: Schema, value: object, file: string, at: string): string[] {
  const fields = new Map(Object.entries(value) as [string, unknown][]);
  const missing = (schema.required ?? []).filter((name) => !fields.has(name));
  const wrong = missing.map((name) => `${at}: no ${name}`);
  for (const [name, field] of fields) {
    const own = schema.properties?.[name];
    if (own !== undefined) wrong.push(...check(own, field, file, `${at}.${name}`));
    for (const [pattern, other] of Object.entries(schema.patternProperties ?? {}))
      if (new RegExp(pattern).test(name)) wrong.push(...check(other, field, file, `${at}.${name}`));
  }
  return wrong;
}

function check(schema: Schema, value: unknown, file: string, at: string): string[] {
  if (schema.$ref !== undefined) {
    const target = follow(schema.$ref, file);
    return check(target.schema, value, target.file, at);
  }
  if (schema.oneOf !== undefined) {
    const fits = schema.oneOf.filter((each) => check(each, value, file, at).length === 0);
    if (fits.length !== 1) return [`${at}: fits ${fits.length} of ${schema.oneOf.length} alternatives`];
  }
  const type = typeOf(value);
  const isType =
    schema.type === undefined || schema.type === type || (schema.type === 'number' && type === 'integer');
  if (!isType) return [`${at}: ${type}, not ${schema.type ?? ''}`];
  const wrong = checkScalar(schema, value).map((words) => `${at}: ${words}`);
  if (Array.isArray(value)) {
    if (value.length < (schema.minItems ?? 0)) wrong.push(`${at}: too few items`);
    const { items } = schema;
    if (items !== undefined)
      for (const [index, each] of value.entries()) wrong.push(...check(items, each, file, `${at}[${index}]`));
  } else if (typeof value === 'object' && value !== null) wrong.push(...checkObject(schema, value, file, at));
  return wrong;
}

export type OciDocument = 'image-manifest' | 'image-index' | 'config' | 'image-layout';

/** What is wrong with a document; nothing when it is valid. */
export function ociFaults(kind: OciDocument, document: unknown): string[] {
  const file = `${kind}-schema.json`;
  return check(schemaFile(file), document, file, kind);
}
