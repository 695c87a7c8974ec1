import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseToml } from './toml.ts';

test('reads what hosts files hold', () => {
  const text = `# a comment
server = "https://registry-1.docker.io" # behind

[host."https://mirror.test:5000"]
  capabilities = ["pull", 'resolve',
    # within an array
  ]
  skip_verify = true
  client = [["a.cert", "a.key"], ["b.pem", ""]]
  [host."https://mirror.test:5000".header]
    x-custom = ["one", "two\\u0021\\n"]
[host.'http://other']
depth = 1_000
a.b = false
`;
  assert.deepEqual(parseToml(text), {
    server: 'https://registry-1.docker.io',
    host: {
      'https://mirror.test:5000': {
        capabilities: ['pull', 'resolve'],
        skip_verify: true,
        client: [
          ['a.cert', 'a.key'],
          ['b.pem', ''],
        ],
        header: { 'x-custom': ['one', 'two!\n'] },
      },
      'http://other': { depth: 1000, a: { b: false } },
    },
  });
});

test('a key called __proto__ is a key', () => {
  const table = parseToml('__proto__ = "x"\n[a.__proto__]\nb = 1');
  assert.deepEqual(Object.keys(table), ['__proto__', 'a']);
  assert.equal(({} as { b?: unknown }).b, undefined);
});

for (const [text, words] of [
  ['a = ', /line 1: a string, number, boolean or array was expected/],
  ['x = 1\na = "open', /line 2: a string does not end/],
  ['a = 1\na = 2', /line 2: a stands twice/],
  ['a = 1\n[a.b]', /line 2: a is no table/],
  ['a = 1 b = 2', /line 1: the end of the line was expected/],
  ['[[a]]', /arrays of tables/],
  ['[a', /\] was expected/],
  ['a = "\\q"', /unknown escape/],
  ['a = 2024-01-01', /was expected/],
  [`a = ${'['.repeat(100)}`, /arrays within arrays/],
] as const)
  test(`refuses ${JSON.stringify(text.slice(0, 30))}`, () => {
    assert.throws(() => parseToml(text), { kind: 'invalid', message: words });
  });
