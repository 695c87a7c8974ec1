/** The Swagger file, read and typed as far as the generator needs it. */

import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly title?: string;
  readonly enum?: readonly unknown[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly allOf?: readonly Schema[];
  readonly required?: readonly string[];
  readonly 'x-nullable'?: boolean;
}

export interface Parameter extends Schema {
  readonly name: string;
  readonly in: 'query' | 'body' | 'path' | 'header';
  readonly schema?: Schema;
}

export interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  readonly parameters: readonly Parameter[];
  /** By status. */
  readonly responses: Readonly<Record<string, Schema | undefined>>;
}

export interface Spec {
  readonly definitions: Readonly<Record<string, Schema>>;
  readonly operations: readonly Operation[];
}

interface RawOperation {
  readonly operationId: string;
  readonly summary?: string;
  readonly parameters?: readonly Parameter[];
  readonly responses: Readonly<Record<string, { readonly schema?: Schema }>>;
}

interface RawSpec {
  readonly definitions: Record<string, Schema>;
  readonly paths: Record<string, Record<string, RawOperation>>;
}

export function readSpec(file: string): Spec {
  const raw = parse(readFileSync(file, 'utf8')) as RawSpec;
  const operations: Operation[] = [];
  for (const [path, methods] of Object.entries(raw.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const responses = Object.entries(operation.responses).map(([status, response]) => [
        status,
        response.schema,
      ]);
      operations.push({
        id: operation.operationId,
        method: method.toUpperCase(),
        path,
        summary: (operation.summary ?? '').trim().replaceAll('"', ''),
        parameters: operation.parameters ?? [],
        responses: Object.fromEntries(responses) as Operation['responses'],
      });
    }
  }
  return { definitions: raw.definitions, operations };
}

/** `#/definitions/X` -> `X`. */
export function refName(ref: string): string {
  return ref.slice(ref.lastIndexOf('/') + 1);
}

/** The JSON body of an operation; undefined when it has none, or carries raw bytes. */
export function bodySchema(operation: Operation): Schema | undefined {
  const schema = operation.parameters.find((parameter) => parameter.in === 'body')?.schema;
  return schema?.type === 'string' ? undefined : schema;
}
