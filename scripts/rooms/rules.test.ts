import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findImports } from './imports.ts';
import { judge, type RoomTable } from './rules.ts';

const table: RoomTable = {
  free: ['main.ts'],
  rooms: {
    core: { path: 'core/', may: [] },
    host: { path: 'host/', may: ['core'], packages: ['koffi'] },
    services: { path: 'services/', may: ['core'] },
    'services/images': { path: 'services/images/', may: ['core'], door: true },
    'services/containers': { path: 'services/containers/', may: ['core', 'services/images'], door: true },
    api: { path: 'api/', may: ['core', 'generated'], types: ['services/containers'] },
    generated: { path: 'api/generated/', may: [] },
  },
};

const files = (entries: Record<string, string>): Map<string, string> => new Map(Object.entries(entries));

test('a tree that keeps the rules passes', () => {
  const sources = files({
    'core/ids.ts': "import { randomBytes } from 'node:crypto';\nexport const id = randomBytes;\n",
    'host/index.ts':
      "import koffi from 'koffi';\nimport { id } from '../core/ids.ts';\nexport { koffi, id };\n",
    'services/images/index.ts': 'export const pull = 1;\n',
    'services/containers/create.ts': "import { pull } from '../images/index.ts';\nexport const c = pull;\n",
    'services/containers/index.ts': "export { c } from './create.ts';\nexport type Containers = object;\n",
    'api/generated/types.ts': 'export type T = string;\n',
    'api/server.ts':
      "import type { Containers } from '../services/containers/index.ts';\nimport type { T } from './generated/types.ts';\nexport type S = Containers | T;\n",
    'main.ts': "import './host/index.ts';\nimport './api/server.ts';\n",
  });
  assert.deepEqual(judge(table, sources), []);
});

test('an import into a forbidden room is told with file and line', () => {
  const sources = files({
    'core/ids.ts': "\nimport { mount } from '../host/index.ts';\nexport const id = mount;\n",
    'host/index.ts': 'export const mount = 1;\n',
  });
  assert.deepEqual(judge(table, sources), ['src/core/ids.ts:2: room core may not import room host']);
});

test('a value import through a types-only permission is refused, a type import is not', () => {
  const service = { 'services/containers/index.ts': 'export class C {}\n' };
  const value = files({ ...service, 'api/a.ts': "import { C } from '../services/containers/index.ts';\n" });
  assert.deepEqual(judge(table, value), [
    'src/api/a.ts:1: room api may import only types from room services/containers',
  ]);
  const typed = files({
    ...service,
    'api/a.ts': "import { type C } from '../services/containers/index.ts';\n",
  });
  assert.deepEqual(judge(table, typed), []);
});

test('a room with a door is entered only by it', () => {
  const sources = files({
    'services/images/pull.ts': 'export const pull = 1;\n',
    'services/containers/create.ts': "import { pull } from '../images/pull.ts';\nexport const c = pull;\n",
  });
  assert.deepEqual(judge(table, sources), [
    'src/services/containers/create.ts:1: room services/images is entered by its index.ts, not by services/images/pull.ts',
  ]);
});

test('packages need permission, node modules do not', () => {
  const sources = files({
    'core/ids.ts': "import koffi from 'koffi';\nimport 'node:fs';\nexport { koffi };\n",
  });
  assert.deepEqual(judge(table, sources), ['src/core/ids.ts:1: room core may not use the package koffi']);
});

test('a circle of files is told once, with its way round', () => {
  const sources = files({
    'core/a.ts': "import { b } from './b.ts';\nexport const a = b;\n",
    'core/b.ts': "import type { C } from './c.ts';\nexport const b: C = 1;\n",
    'core/c.ts': "export { a } from './a.ts';\nexport type C = number;\n",
  });
  assert.deepEqual(judge(table, sources), [
    'circle of files: core/a.ts -> core/b.ts -> core/c.ts -> core/a.ts',
  ]);
});

test('files outside every room, missing files and imports of tests are told; tests are free', () => {
  const sources = files({
    'stray.ts': 'export const x = 1;\n',
    'core/a.ts':
      "import { y } from './gone.ts';\nimport { t } from './a.test.ts';\nexport const a = [y, t];\n",
    'core/a.test.ts': "import '../host/index.ts';\nexport const t = 1;\n",
    'host/index.ts': 'export const mount = 1;\n',
  });
  assert.deepEqual(judge(table, sources), [
    'src/stray.ts: lies in no room of the table',
    'src/core/a.ts:2: ./a.test.ts is outside the sources',
    'src/core/a.ts:1: core/gone.ts does not exist',
  ]);
});

test('imports are found in every form, and not in comments', () => {
  const source = [
    "import type { A } from './a.ts';",
    'import {',
    '  type B,',
    '  c,',
    "} from './b.ts';",
    "// import { d } from './d.ts';",
    "/* import { e } from './e.ts'; */",
    "export * from './f.ts';",
    "const g = await import('./g.ts');",
    "type H = import('./h.ts').H;",
    "const w = new Worker(new URL('./w.ts', import.meta.url));",
  ].join('\n');
  assert.deepEqual(findImports(source), [
    { specifier: './a.ts', typeOnly: true, line: 1 },
    { specifier: './b.ts', typeOnly: false, line: 2 },
    { specifier: './f.ts', typeOnly: false, line: 8 },
    { specifier: './g.ts', typeOnly: false, line: 9 },
    { specifier: './h.ts', typeOnly: true, line: 10 },
    { specifier: './w.ts', typeOnly: false, line: 11 },
  ]);
});
