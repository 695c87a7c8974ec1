import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Schema } from '../../../scripts/api/spec.ts';
import { faultsOf, missingFields, spec } from './validate.ts';

const schema: Schema = {
  type: 'object',
  properties: {
    Name: { type: 'string' },
    Count: { type: 'integer', 'x-nullable': true },
    Kind: { type: 'string', enum: ['a', 'b'] },
    Parts: { type: 'array', items: { type: 'object', properties: { Id: { type: 'integer' } } } },
    Labels: { type: 'object', additionalProperties: { type: 'string' } },
  },
};

test('what fits has no faults', () => {
  const value = { Name: 'n', Count: null, Kind: 'a', Parts: [{ Id: 1 }], Labels: null };
  assert.deepEqual(faultsOf(value, schema), []);
  assert.deepEqual(missingFields({ Name: 'n', Parts: [{}], Labels: {} }, schema), [
    'Count',
    'Kind',
    'Parts[].Id',
  ]);
});

test('wrong types, unknown fields, null and values outside an enumeration are found', () => {
  const value = {
    Name: null,
    Count: 1.5,
    Kind: 'c',
    Parts: [{ Id: 'x', More: 1 }],
    Labels: { a: 1 },
    Odd: true,
  };
  assert.deepEqual(faultsOf(value, schema), [
    'Name: null',
    'Count: number for integer',
    'Kind: "c" is none of a, b',
    'Parts[].Id: string for integer',
    'Parts[].More: not in the schema',
    'Labels.*: number for string',
    'Odd: not in the schema',
  ]);
});

test('the schemas that are put together of others are read whole', () => {
  const inspect = spec.definitions['ContainerInspectResponse'] ?? {};
  assert.deepEqual(faultsOf({ Id: 1, HostConfig: { Memory: 'x', Binds: null }, Nope: 1 }, inspect), [
    'Id: number for string',
    'HostConfig.Memory: string for integer',
    'Nope: not in the schema',
  ]);
});
