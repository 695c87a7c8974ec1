/** The table of options is whole (held against the docker CLI's flags and the API's schema), and names tests that there are. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import pages from '../../src/cli/generated/reference.ts';
import { observed } from '../containers/options/table.ts';

const root = join(import.meta.dirname, '../..');

interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly allOf?: readonly Schema[];
}
const definitions = (
  parse(readFileSync(join(root, 'src/api/spec/engine-api-v1.56.yaml'), 'utf8')) as {
    definitions: Readonly<Record<string, Schema>>;
  }
).definitions;

/** The properties of a definition, those of its parts too. */
function properties(schema: Schema | undefined): Readonly<Record<string, Schema>> {
  if (schema?.$ref !== undefined) return properties(definitions[schema.$ref.split('/').at(-1) ?? '']);
  const parts = (schema?.allOf ?? []).map(properties);
  return Object.assign({}, ...parts, schema?.properties) as Readonly<Record<string, Schema>>;
}
const names = (definition: string, prefix: string): string[] =>
  Object.keys(properties(definitions[definition])).map((name) => `${prefix}.${name}`);

/** What of an endpoint only answers tell. */
const answered =
  /\.(NetworkID|EndpointID|Gateway|IPAddress|IPPrefixLen|IPv6Gateway|GlobalIPv6Address|GlobalIPv6PrefixLen|DNSNames)$/;

function mountFields(): string[] {
  return Object.entries(properties(definitions['Mount'])).flatMap(([name, schema]) =>
    name.endsWith('Options')
      ? Object.keys(properties(schema)).map((field) => `Mount.${name}.${field}`)
      : [`Mount.${name}`],
  );
}

const listed = (pick: (row: (typeof observed)[number]) => readonly string[] | undefined): string[] =>
  [...new Set(observed.flatMap((row) => pick(row) ?? []))].sort();
const flagsOf = (command: string): string[] => (pages[command]?.().flags ?? []).map((row) => row[1]);

test('every flag of run and create, and of update', () => {
  const known = new Set([...flagsOf('container run'), ...flagsOf('container create')]);
  assert.deepEqual(
    listed((row) => row.flags),
    [...known].sort(),
  );
  assert.deepEqual(
    listed((row) => row.update),
    flagsOf('container update')
      .filter((name) => name !== 'help')
      .sort(),
  );
});

test('every field of the three configurations and of mounts', () => {
  const known = [
    ...names('ContainerConfig', 'Config'),
    ...names('HostConfig', 'HostConfig'),
    ...names('EndpointSettings', 'Endpoint').filter((name) => !answered.test(name)),
    ...mountFields(),
  ];
  assert.deepEqual(
    listed((row) => row.fields),
    known.sort(),
  );
});

test('every test that is named is there', () => {
  for (const { by } of observed) {
    const [file, name] = by;
    const source = readFileSync(join(root, 'tests', file), 'utf8');
    const quoted = [`'${name}'`, `"${name}"`, `: ${name}\``, `\`${name}\``];
    assert.ok(
      quoted.some((text) => source.includes(text)),
      `${file} has no test ${JSON.stringify(name)}`,
    );
  }
});
