import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePattern } from './index.ts';

const texts = [
  '',
  'a',
  'ab',
  'aab',
  'abc',
  'web',
  'web_1',
  'web-12',
  '/web',
  'WEB',
  'a.b',
  'a b',
  'x]y',
  'x^y',
  'é1',
  'a{2}',
];

test('the same answers as the engine that back-tracks', () => {
  const patterns = [
    '',
    'a',
    '^a',
    'b$',
    '^$',
    '^web$',
    '^/?web$',
    'w.b',
    'a*',
    'a+b',
    'a?b',
    '^a{2}b',
    'a{1,}b',
    '^a{0,1}b$',
    '(a|w)(b|e)',
    '^(?:web|ab)[-_]\\d+$',
    '[a-c]+$',
    '[^a-z]',
    '[]x]',
    '[\\w.]\\.',
    '\\s',
    '\\d',
    '\\W',
    '\\bweb\\b',
    '\\Beb',
    'web|^abc$|^$',
    '(a|b)*c',
    '(|a)b',
    '[x^]',
    '[a-]b',
    'a\\.b',
    'a{2',
    '.*.*.*b$',
    '(a*)*b',
    '^[\\d-]',
    '\\u{e9}?1',
  ];
  for (const pattern of patterns) {
    const matches = compilePattern(pattern);
    if (pattern.startsWith('\\u')) {
      assert.equal(matches, undefined);
      continue;
    }
    assert.ok(matches !== undefined, pattern);
    // Go allows `]` first in a class; JavaScript does not.
    const native = new RegExp(pattern === '[]x]' ? '[\\]x]' : pattern);
    for (const text of texts) assert.equal(matches(text), native.test(text), `${pattern} on ${text}`);
  }
});

test('case can be ignored', () => {
  assert.equal(compilePattern('(?i)^web')?.('WEB_1'), true);
  assert.equal(compilePattern('(?i:w)eb')?.('Web'), true);
  assert.equal(compilePattern('(?i:w)eb')?.('WEB'), false);
  assert.equal(compilePattern('(?i)[a-c]')?.('B'), true);
});

test('what is no expression', () => {
  for (const bad of [
    '(',
    ')',
    'a)',
    '[a',
    '[b-a]',
    '*',
    '+a',
    'a**',
    'a{2}{3}',
    'a{3,2}',
    'a{1001}',
    '\\',
    '\\1',
    '\\q',
    '(?=a)',
    '(?<n>a)',
  ])
    assert.equal(compilePattern(bad), undefined, bad);
  assert.equal(compilePattern('('.repeat(3000) + ')'.repeat(3000)), undefined);
  assert.equal(compilePattern('((a{100}){100}){100}'), undefined);
  assert.equal(compilePattern('a'.repeat(5000)), undefined);
});

test('patterns that make others back-track for ever end at once', () => {
  const text = `${'a'.repeat(250)}!`;
  for (const pattern of [
    '(a+)+$',
    '(a|a)*$',
    '(a|aa)+$',
    '(.*a){20}$',
    '([a-z]+)*[0-9]',
    '^(a?){200}a{200}$',
  ]) {
    const begin = performance.now();
    compilePattern(pattern)?.(text);
    assert.ok(performance.now() - begin < 2000, `${pattern} took ${performance.now() - begin} ms`);
  }
});
