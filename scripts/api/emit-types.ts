/** TypeScript types of all definitions and operations. Type-only: nothing of it is loaded at run time. */

import { bodySchema, refName, type Operation, type Schema, type Spec } from './spec.ts';

const identifier = /^[A-Za-z_]\w*$/;

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
}

function objectType(schema: Schema, indent: string): string {
  const deeper = `${indent}  `;
  const required = new Set(schema.required);
  const lines = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const key = identifier.test(name) ? name : `'${name}'`;
    return `${deeper}readonly ${key}${required.has(name) ? '' : '?'}: ${typeOf(property, deeper)};`;
  });
  return `{\n${lines.join('\n')}\n${indent}}`;
}

function bareType(schema: Schema, indent: string): string {
  if (schema.$ref !== undefined) return refName(schema.$ref);
  if (schema.allOf !== undefined) return schema.allOf.map((part) => typeOf(part, indent)).join(' & ');
  if (schema.properties !== undefined) return objectType(schema, indent);
  switch (schema.type) {
    case 'string':
      return schema.enum === undefined ? 'string' : schema.enum.map(literal).join(' | ');
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'array': {
      const item = schema.items === undefined ? 'unknown' : typeOf(schema.items, indent);
      return `readonly ${/[ &|]/.test(item) ? `(${item})` : item}[]`;
    }
    case 'object': {
      const values = schema.additionalProperties;
      const value = typeof values === 'object' ? typeOf(values, indent) : 'unknown';
      return `Readonly<Record<string, ${value}>>`;
    }
    default:
      return 'unknown';
  }
}

function typeOf(schema: Schema, indent: string): string {
  const type = bareType(schema, indent);
  return schema['x-nullable'] === true ? `${type} | null` : type;
}

function definition(name: string, schema: Schema): string {
  if (schema.properties !== undefined && schema.allOf === undefined && schema['x-nullable'] !== true) {
    return `export interface ${name} ${objectType(schema, '')}`;
  }
  return `export type ${name} = ${typeOf(schema, '')};`;
}

function operationType(operation: Operation): string {
  const query = operation.parameters.filter((parameter) => parameter.in === 'query');
  const lines = [`  readonly ${operation.id}: {`];
  if (query.length > 0) {
    const properties = Object.fromEntries(query.map((parameter) => [parameter.name, parameter]));
    lines.push(`    readonly query: ${objectType({ properties }, '    ')};`);
  }
  const body = bodySchema(operation);
  if (body !== undefined) lines.push(`    readonly body: ${typeOf(body, '    ')};`);
  const responses = Object.entries(operation.responses).filter(([status]) => Number(status) < 300);
  for (const [status, schema] of responses) {
    if (schema !== undefined) lines.push(`    readonly ${status}: ${typeOf(schema, '    ')};`);
  }
  return [...lines, '  };'].join('\n');
}

export function emitTypes(spec: Spec, header: string): string {
  const definitions = Object.entries(spec.definitions).map(([name, schema]) => definition(name, schema));
  const operations = spec.operations.map(operationType);
  return [
    header,
    ...definitions,
    `/** What each operation takes and returns, by operation id; responses by status. */\nexport interface Operations {\n${operations.join('\n')}\n}`,
    'export type OperationId = keyof Operations;',
    '',
  ].join('\n\n');
}
