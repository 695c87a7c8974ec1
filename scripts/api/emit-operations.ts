/** The table of operations that the router is built from: one short line an operation. */

import type { Operation, Spec } from './spec.ts';

const kinds: Readonly<Record<string, string>> = { boolean: 'b', integer: 'i', array: 'a', string: 's' };

function line(operation: Operation): string {
  const query = operation.parameters
    .filter((parameter) => parameter.in === 'query')
    .map((parameter) => `${parameter.name}:${kinds[parameter.type ?? 'string'] ?? 's'}`);
  return `  '${[operation.id, operation.method, operation.path, ...query].join(' ')}',`;
}

export function emitOperations(spec: Spec, header: string): string {
  return [
    header,
    '/**',
    ' * Every operation of the API: id, method, path, and its query parameters with their types',
    ' * (b boolean, i integer, s string, a list).',
    ' */',
    'export const operations: readonly string[] = [',
    ...spec.operations.map(line),
    '];',
    '',
  ].join('\n');
}
