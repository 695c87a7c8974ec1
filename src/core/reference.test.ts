import assert from 'node:assert/strict';
import { test } from 'node:test';
import { computedMs } from '#tests/helpers/processor-time.ts';
import { familiar, formatReference, parseReference, withDefaultTag } from './reference.ts';

const digest = `sha256:${'ab'.repeat(32)}`;
const normal = (text: string): string => formatReference(withDefaultTag(parseReference(text)));

test('names are filled in as Docker does', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox:1.36'],
    ['user/app', 'docker.io/user/app:latest', 'user/app:latest'],
    ['docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['index.docker.io/user/app', 'docker.io/user/app:latest', 'user/app:latest'],
    ['localhost/app', 'localhost/app:latest', 'localhost/app:latest'],
    ['localhost:5000/a/b/c:v1', 'localhost:5000/a/b/c:v1', 'localhost:5000/a/b/c:v1'],
    ['[::1]:5000/app', '[::1]:5000/app:latest', '[::1]:5000/app:latest'],
    ['ghcr.io/x/y__z--w.v', 'ghcr.io/x/y__z--w.v:latest', 'ghcr.io/x/y__z--w.v:latest'],
    [`busybox@${digest}`, `docker.io/library/busybox@${digest}`, `busybox@${digest}`],
    [`busybox:a@${digest}`, `docker.io/library/busybox:a@${digest}`, `busybox:a@${digest}`],
    ['Registry/app', 'Registry/app:latest', 'Registry/app:latest'],
  ];
  for (const [text, full, short] of cases) {
    assert.equal(normal(text), full);
    assert.equal(familiar(full), short);
    assert.equal(normal(short), full);
  }
  assert.equal(normal(familiar('docker.io/library/a/b:c')), 'docker.io/library/a/b:c');
});

test('what is no reference is refused in the words of Docker', () => {
  for (const text of [
    '',
    ':tag',
    'a:',
    'a b',
    'a//b',
    'a:b:c',
    '-a',
    'a_',
    'a@sha256:12',
    'a@',
    'a/../b',
    'a\nb',
    '/a',
    'é',
  ])
    assert.throws(() => parseReference(text), { kind: 'invalid', message: 'invalid reference format' }, text);
  assert.throws(() => parseReference('Ubuntu'), {
    message:
      'invalid reference format: repository name (library/Ubuntu) must be lowercase: did you mean "ubuntu"?',
  });
  assert.throws(() => parseReference('a'.repeat(64)), /cannot specify 64-byte hexadecimal strings/);
  assert.throws(() => parseReference(`a/${'b'.repeat(260)}`), /must not be more than 255 characters/);
  assert.throws(() => parseReference(`a:${'t'.repeat(129)}`), /invalid reference format/);
});

test('hostile references take no time', () => {
  const start = computedMs();
  for (const text of [
    `${'a-'.repeat(500)}!`,
    `${'a'.repeat(1000)}!`,
    `${'a_'.repeat(400)}/`,
    `${'a.'.repeat(400)}:5`,
  ])
    assert.throws(() => parseReference(text));
  assert.ok(computedMs() - start < 200);
});
