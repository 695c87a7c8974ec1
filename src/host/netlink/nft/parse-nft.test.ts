/** Answers as the kernel lays them out (linux/netfilter/nf_tables.h). */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attribute, be32, be64, message, nested, text } from '../attributes.ts';
import { parseMessages } from '../parse.ts';
import { generic } from './batch.ts';
import { parseChain, parseElements, parseRule, readComment } from './parse-nft.ts';

const answer = (type: number, family: number, ...attributes: Buffer[]) => {
  const [first] = parseMessages(message((10 << 8) | type, 2, generic(family), ...attributes));
  assert.ok(first !== undefined);
  return first;
};
const bytes = (...values: number[]): Buffer => Buffer.from(values);

test('a base chain, a plain chain, a chain of a family that is not ours', () => {
  const names = [attribute(1, text('t')), attribute(3, text('c'))];
  const hook = nested(4, attribute(1, be32(4)), attribute(2, be32(-150)));
  assert.deepEqual(
    parseChain(answer(3, 1, ...names, hook, attribute(5, be32(0)), attribute(7, text('filter')))),
    {
      family: 'inet',
      table: 't',
      chain: 'c',
      hook: 'postrouting',
      type: 'filter',
      priority: -150,
      policy: 'drop',
    },
  );
  assert.equal(parseChain(answer(3, 2, ...names))?.policy, '');
  assert.equal(parseChain(answer(3, 5, ...names)), undefined);
  assert.equal(parseChain(answer(6, 2, ...names)), undefined);
});

test('a rule: handle and comment', () => {
  const names = [attribute(1, text('t')), attribute(2, text('c'))];
  const comment = attribute(7, bytes(1, 2, 9, 9, 0, 4, 0x77, 0x65, 0x62, 0));
  assert.deepEqual(parseRule(answer(6, 10, ...names, attribute(3, be64(7n)), comment)), {
    family: 'ip6',
    table: 't',
    chain: 'c',
    handle: 7n,
    comment: 'web',
    jumpsTo: [],
  });
  const verdict = nested(2, nested(2, attribute(1, be32(-3)), attribute(2, text('DOCKER-USER'))));
  const jump = nested(1, attribute(1, text('immediate')), nested(2, attribute(1, be32(0)), verdict));
  const counter = nested(1, attribute(1, text('counter')), nested(2));
  const jumping = answer(6, 2, ...names, attribute(3, be64(8n)), nested(4, counter, jump));
  assert.deepEqual(parseRule(jumping)?.jumpsTo, ['DOCKER-USER']);
  assert.equal(parseRule(answer(6, 10, ...names)), undefined);
});

test('elements: values, verdicts, comments', () => {
  const key = (value: number) => nested(1, attribute(1, bytes(value)));
  const verdict = (code: number, ...chain: Buffer[]) =>
    nested(2, nested(2, attribute(1, be32(code)), ...chain));
  const list = nested(
    3,
    nested(1, key(1)),
    nested(1, key(2), nested(2, attribute(1, bytes(9, 9))), attribute(6, bytes(0, 2, 0x78, 0))),
    nested(1, key(3), verdict(-3, attribute(2, text('side')))),
    nested(1, key(4), verdict(0)),
    nested(1, key(5), verdict(-5)),
    nested(1),
  );
  assert.deepEqual(parseElements(answer(12, 2, attribute(1, text('t')), attribute(2, text('s')), list)), [
    { key: Uint8Array.of(1) },
    { key: Uint8Array.of(2), data: Uint8Array.of(9, 9), comment: 'x' },
    { key: Uint8Array.of(3), verdict: { verdict: 'jump', chain: 'side' } },
    { key: Uint8Array.of(4), verdict: { verdict: 'drop' } },
    { key: Uint8Array.of(5), verdict: { verdict: 'return' } },
  ]);
});

test('user data cut short holds no comment', () => {
  assert.equal(readComment(undefined), '');
  assert.equal(readComment(bytes(0)), '');
  assert.equal(readComment(bytes(5, 200, 1)), '');
});
