import assert from 'node:assert/strict';
import { test } from 'node:test';
import { computedMs } from '#tests/helpers/processor-time.ts';
import { initialState, type ContainerRecord } from '../../core/model/container.ts';
import {
  checkFilters,
  checkValues,
  compilePatterns,
  listFilters,
  matches,
  matchesLabels,
} from './filters.ts';
import type { Filters } from './types.ts';

const record = {
  id: 'abc'.repeat(21) + 'd',
  name: 'web_1',
  createdAt: '2024-01-02T00:00:00Z',
  config: { Labels: { app: 'x', empty: '' }, ExposedPorts: { '80/tcp': {} } },
  endpoints: { front: { networkName: 'front', networkId: 'n'.repeat(64) } },
  mounts: [{ type: 'volume', name: 'data', source: '/v', destination: '/d' }],
  ports: [{ protocol: 'tcp', containerPort: 80, hostIp: '0.0.0.0', hostPort: 8080 }],
  state: { ...initialState, status: 'exited', exitCode: 3 },
} as unknown as ContainerRecord;

const facts = {
  health: 'none',
  isFrom: (reference: string) => reference === 'busybox',
  resolve: () => ({ ...record, createdAt: '2024-01-01T00:00:00Z' }),
};
const passes = (filters: Filters): boolean =>
  matches(record, filters, { ...facts, patterns: compilePatterns(filters) });

const yes: readonly Filters[] = [
  {},
  { id: ['abcabc'] },
  { id: ['^abc.*d$'] },
  { id: ['cab'] },
  { name: ['web'] },
  { name: ['^/web_1$'] },
  { name: ['^(web|db)_[0-9]+$'] },
  { name: ['(', 'w.b'] },
  { name: ['nope', 'eb_'] },
  { status: ['running', 'exited'] },
  { exited: ['3'] },
  { label: ['app'] },
  { label: ['app=x', 'empty'] },
  { network: ['front'] },
  { volume: ['data'] },
  { volume: ['/d'] },
  { publish: ['8080'] },
  { publish: ['8000-9000/tcp'] },
  { expose: ['80/tcp'] },
  { ancestor: ['busybox'] },
  { health: ['none'] },
  { since: ['older'] },
];
const no: readonly Filters[] = [
  { id: ['^b'] },
  { name: ['('] },
  { name: ['^eb'] },
  { name: ['(a+)+$'] },
  { status: ['running'] },
  { exited: ['0'] },
  { label: ['app=y'] },
  { label: ['app', 'missing'] },
  { network: ['back'] },
  { publish: ['8081'] },
  { publish: ['8080/udp'] },
  { ancestor: ['alpine'] },
  { before: ['older'] },
  { name: ['web'], status: ['paused'] },
];

for (const filters of yes)
  test(`passes ${JSON.stringify(filters)}`, () => assert.equal(passes(filters), true));
for (const filters of no)
  test(`is held back by ${JSON.stringify(filters)}`, () => assert.equal(passes(filters), false));

test('unknown filters and values are refused', () => {
  assert.throws(() => checkFilters({ colour: ['red'] }, listFilters), { message: `invalid filter 'colour'` });
  assert.throws(() => checkValues({ status: ['asleep'] }), { message: `invalid filter 'status=asleep'` });
  assert.throws(() => checkValues({ exited: ['x'] }), {
    message: `invalid filter 'exited=x': strconv.Atoi: parsing "x": invalid syntax`,
  });
});

test('a hostile expression for a name ends at once', () => {
  const name = `${'a'.repeat(254)}!`;
  for (const pattern of ['(a+)+$', '(a|aa)+$', '(.*a){20}$', '^(a?){200}a{200}$', '((a{99}){99}){99}']) {
    const begin = computedMs();
    compilePatterns({ name: [pattern] }).name(name);
    const took = computedMs() - begin;
    assert.ok(took < 2000, `${pattern} took ${took} ms`);
  }
});

test('a label is not found on the prototype', () => {
  assert.equal(matchesLabels({}, ['toString']), false);
});
