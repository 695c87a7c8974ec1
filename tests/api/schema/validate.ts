/**
 * Holds a JSON answer against its schema in the Swagger file: types, enumerations, and no field that the schema does not know.
 * Go's nil slices and maps are null and pass for arrays and objects, as in dockerd's own answers.
 */

import { join } from 'node:path';
import { readSpec, refName, type Schema, type Spec } from '../../../scripts/api/spec.ts';

export const spec: Spec = readSpec(join(import.meta.dirname, '../../../src/api/spec/engine-api-v1.56.yaml'));

interface Flat {
  readonly properties: Readonly<Record<string, Schema>>;
  readonly additional: Schema | boolean | undefined;
}

function resolve(schema: Schema): Schema {
  return schema.$ref === undefined ? schema : resolve(spec.definitions[refName(schema.$ref)] ?? {});
}

/** Properties of a schema with those of the ones that it is made of. */
export function flatten(given: Schema): Flat {
  const schema = resolve(given);
  const parts = (schema.allOf ?? []).map(flatten);
  return {
    properties: Object.assign(
      {},
      ...parts.map((part) => part.properties),
      schema.properties,
    ) as Flat['properties'],
    additional:
      schema.additionalProperties ?? parts.find((part) => part.additional !== undefined)?.additional,
  };
}

function typeOf(given: Schema): string | undefined {
  const schema = resolve(given);
  if (schema.type !== undefined) return schema.type;
  if (schema.properties !== undefined) return 'object';
  return schema.allOf?.map(typeOf).find((type) => type !== undefined);
}

function nullable(given: Schema, type: string | undefined): boolean {
  if (given['x-nullable'] === true || resolve(given)['x-nullable'] === true) return true;
  return type === 'array' || type === 'object' || type === undefined;
}

function fits(value: unknown, type: string | undefined): boolean {
  switch (type) {
    case 'string':
    case 'boolean':
      return typeof value === type;
    case 'integer':
      return typeof value === 'number' && Number.isInteger(value);
    case 'number':
      return typeof value === 'number';
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return true;
  }
}

function objectFaults(value: Readonly<Record<string, unknown>>, schema: Schema, path: string): string[] {
  const { properties, additional } = flatten(schema);
  // An object without a description may hold anything.
  const open = additional === true || (additional === undefined && Object.keys(properties).length === 0);
  return Object.entries(value).flatMap(([key, item]) => {
    const own = Object.hasOwn(properties, key) ? properties[key] : undefined;
    const known = own ?? (typeof additional === 'object' ? additional : undefined);
    const at = path === '' ? key : `${path}.${own === undefined ? '*' : key}`;
    if (known === undefined)
      return open ? [] : [`${path === '' ? key : `${path}.${key}`}: not in the schema`];
    return faultsOf(item, known, at);
  });
}

/** What is wrong with a value, as `path: what`; nothing when it fits. */
export function faultsOf(value: unknown, given: Schema, path = ''): string[] {
  const schema = resolve(given);
  const type = typeOf(given);
  if (value === null) return nullable(given, type) ? [] : [`${path}: null`];
  if (!fits(value, type)) return [`${path}: ${typeof value} for ${type}`];
  if (schema.enum !== undefined && !schema.enum.some((one) => JSON.stringify(one) === JSON.stringify(value)))
    return [`${path}: ${JSON.stringify(value)} is none of ${schema.enum.join(', ')}`];
  if (Array.isArray(value))
    return [...new Set(value.flatMap((item) => faultsOf(item, schema.items ?? {}, `${path}[]`)))];
  if (type === 'object') return objectFaults(value as Record<string, unknown>, given, path);
  return [];
}

/** Fields that the schema knows and a value lacks, as paths; below maps and lists only where something is there. */
export function missingFields(value: unknown, given: Schema, path = ''): string[] {
  if (value === null || value === undefined) return [];
  const schema = resolve(given);
  if (Array.isArray(value))
    return [...new Set(value.flatMap((item) => missingFields(item, schema.items ?? {}, `${path}[]`)))];
  if (typeof value !== 'object') return [];
  const fields = value as Readonly<Record<string, unknown>>;
  const { properties, additional } = flatten(given);
  const own = Object.entries(properties).flatMap(([key, property]) => {
    const at = path === '' ? key : `${path}.${key}`;
    return Object.hasOwn(fields, key) ? missingFields(fields[key], property, at) : [at];
  });
  const values = typeof additional === 'object' ? Object.values(fields) : [];
  const below = values.flatMap((item) => missingFields(item, additional as Schema, `${path}.*`));
  return [...own, ...new Set(below)];
}
