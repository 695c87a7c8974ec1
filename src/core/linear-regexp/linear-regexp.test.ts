import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linearRegExp } from './index.ts';

const texts = [
  '',
  'a',
  'ab',
  'aab',
  'abc',
  'xAbC',
  'a.c',
  'a\nb',
  'B_1',
  'com.example.tier',
  '1234',
  'ä',
  ']',
  '-',
  'aaa',
];

test('matches what JavaScript matches, where both have the syntax', () => {
  const patterns = [
    '',
    'a',
    '^a',
    'a$',
    '^a$',
    'a|b',
    '(a|b)+c',
    'a*',
    '^a*$',
    '^a+b?$',
    'a.c',
    '^.$',
    '[abc]',
    '^[^abc]+$',
    '[a-c]{2}',
    '^a{2,}',
    '^(?:a|ab)(?:c|bcd)?$',
    '\\d+',
    '^\\w+$',
    '\\W',
    '\\s',
    '^com\\.',
    'tier$',
    '\\bb',
    '\\Bb',
    '[]a]',
    '[a\\-]',
    '[-a]',
    'x?A',
    '(?:)',
    '^a{1,3}$',
    '\\.',
    '[\\d_]',
    '()',
    '(^a|b$)',
    '^(a*)*$',
    '\\x61',
  ];
  for (const pattern of patterns) {
    const own = new RegExp(pattern === '[]a]' ? '[\\]a]' : pattern, 'u');
    const linear = linearRegExp(pattern);
    for (const text of texts) assert.equal(linear.test(text), own.test(text), `${pattern} on ${text}`);
  }
});

test('what only Go has', () => {
  for (const [pattern, text, wanted] of [
    ['(?i)abc', 'xAbC', true],
    ['(?i:A)b', 'ab', true],
    ['(?i:A)b', 'aB', false],
    ['(?s)a.b', 'a\nb', true],
    ['(?m)^b$', 'a\nb', true],
    ['^b$', 'a\nb', false],
    ['(?P<name>a)', 'a', true],
    ['[[:upper:]]_[[:digit:]]', 'B_1', true],
    ['[[:^digit:]]', '1234', false],
    ['\\Aab\\z', 'ab', true],
    ['\\pL', 'ä', true],
    ['^\\p{Greek}$', 'α', true],
    ['\\x{e4}', 'ä', true],
  ] as const) {
    assert.equal(linearRegExp(pattern).test(text), wanted, `${pattern} on ${text}`);
  }
});

test("what is wrong is said in Go's words", () => {
  for (const [pattern, message] of [
    ['(', 'error parsing regexp: missing closing ): `(`'],
    [')', 'error parsing regexp: unexpected ): `)`'],
    ['[a', 'error parsing regexp: missing closing ]: `[a`'],
    ['*', 'error parsing regexp: missing argument to repetition operator: `*`'],
    ['a**', 'error parsing regexp: invalid nested repetition operator: `**`'],
    ['a{2,1}', 'error parsing regexp: invalid repeat count: `{2,1}`'],
    ['a{1001}', 'error parsing regexp: invalid repeat count: `{1001}`'],
    ['(?=a)', 'error parsing regexp: invalid or unsupported Perl syntax: `(?=`'],
    ['a\\', 'error parsing regexp: trailing backslash at end of expression: ``'],
    ['\\1', 'error parsing regexp: invalid escape sequence: `\\1`'],
  ] as const) {
    assert.throws(() => linearRegExp(pattern), { message }, pattern);
  }
  assert.throws(() => linearRegExp('((a{1000}){1000}){1000}'), /too large/);
  assert.throws(() => linearRegExp('('.repeat(100_000)), /nests too deeply/);
});

test('no pattern makes it go back', () => {
  // JavaScript would need more steps than there are atoms for any of these.
  const text = `${'a'.repeat(1000)}!`;
  for (const pattern of ['^(a+)+$', '^(a|a)*$', '^(a|aa)+$', '^(.*a){20}$', '^(a?){30}a{30}$']) {
    assert.equal(linearRegExp(pattern).test(text), false, pattern);
  }
});
