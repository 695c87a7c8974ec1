import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResolverConfig } from '../../core/ports/net-helper.ts';
import { makeQuickTable, QuickAnswers, type QuickQuery } from './quick-answers.ts';
import { encodeName, encodeResponse, parseQuery, recordType } from './wire.ts';

function ask(name: string, id: number, type: number = recordType.A): Buffer {
  const head = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, encodeName(name), Buffer.from([0, type, 0, 1])]);
}
/** As it lies in a buffer among others. */
function placed(message: Buffer): QuickQuery {
  const bytes = Buffer.concat([Buffer.alloc(7, 0xee), message, Buffer.alloc(9, 0xee)]);
  return { bytes, start: 7, end: 7 + message.length };
}
const config = (containerId: string): ResolverConfig => ({
  containerId,
  networkIds: ['n'],
  ownNames: [],
  upstreams: [],
  forward: true,
});
function answerTo(message: Buffer, addresses: readonly number[], limit = 512): Buffer {
  const query = parseQuery(message);
  assert.ok(query);
  const answers = addresses.map((last) => ({
    type: recordType.A,
    ttl: 600,
    data: Uint8Array.of(10, 0, 0, last),
  }));
  return encodeResponse(query, 0, answers, limit);
}
const out = Buffer.alloc(4096);
const found = (
  quick: QuickAnswers,
  of: ResolverConfig,
  message: Buffer,
  generation = 1,
): Buffer | undefined => {
  const size = quick.find({ config: of, generation }, placed(message), out, 100);
  return size === 0 ? undefined : Buffer.from(out.subarray(100, 100 + size));
};
const keep = (quick: QuickAnswers, of: ResolverConfig, message: Buffer, answer: Buffer): void =>
  quick.keep({ config: of, generation: 1 }, placed(message), answer, message.length);

test('the same question is answered as before, under its own id', () => {
  const quick = new QuickAnswers(makeQuickTable());
  const own = config('a');
  assert.equal(found(quick, own, ask('web', 1)), undefined);
  keep(quick, own, ask('web', 1), answerTo(ask('web', 1), [2]));
  assert.deepEqual(found(quick, own, ask('web', 0x1234)), answerTo(ask('web', 0x1234), [2]));
  for (const other of [ask('wex', 1), ask('Web', 1), ask('web', 1, recordType.AAAA), ask('webb', 1)])
    assert.equal(found(quick, own, other), undefined);
  const extended = Buffer.concat([ask('web', 1), Buffer.from([0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0])]);
  assert.equal(found(quick, own, extended), undefined);
  for (const length of [0, 1, 2, 11])
    assert.equal(found(quick, own, ask('web', 1).subarray(0, length)), undefined);
});

test('other names, another configuration and another container make it unknown', () => {
  const table = makeQuickTable();
  const [one, other] = [new QuickAnswers(table), new QuickAnswers(table)];
  const own = config('a');
  keep(one, own, ask('web', 1), answerTo(ask('web', 1), [2]));
  assert.equal(found(one, own, ask('web', 1), 2), undefined, 'names changed');
  assert.equal(found(one, config('a'), ask('web', 1)), undefined, 'networks changed');
  assert.equal(found(other, config('b'), ask('web', 1)), undefined);
  assert.ok(found(one, own, ask('web', 1)));
});

test('several addresses come in every order', () => {
  const quick = new QuickAnswers(makeQuickTable());
  const own = config('a');
  const question = ask('app', 7);
  keep(quick, own, question, answerTo(question, [1, 2, 3]));
  const orders = new Map<string, number>();
  for (let round = 0; round < 6000; round++) {
    const answer = found(quick, own, question);
    assert.ok(answer);
    const last = [0, 1, 2].map((at) => answer[question.length + at * 16 + 15]);
    orders.set(last.join(), (orders.get(last.join()) ?? 0) + 1);
  }
  assert.deepEqual([...orders.keys()].toSorted(), ['1,2,3', '1,3,2', '2,1,3', '2,3,1', '3,1,2', '3,2,1']);
  for (const [order, times] of orders) assert.ok(times > 700 && times < 1300, `${order}: ${times} of 6000`);
});

test('what was cut, is long or has no records', () => {
  const quick = new QuickAnswers(makeQuickTable());
  const own = config('a');
  const many = Array.from({ length: 60 }, (_, at) => at);
  const question = ask('app', 7);
  keep(quick, own, question, answerTo(question, many));
  assert.equal(found(quick, own, question), undefined, 'cut');
  keep(quick, own, question, answerTo(question, many, 4096));
  assert.equal(found(quick, own, question), undefined, 'long');
  const empty = answerTo(question, []);
  keep(quick, own, question, empty);
  assert.deepEqual(found(quick, own, question), empty);
});

test('a flood of questions takes no more places than there are', () => {
  const table = makeQuickTable();
  const quick = new QuickAnswers(table);
  const own = config('a');
  for (let number = 0; number < 5000; number++) {
    const question = ask(`n${number}`, 1);
    keep(quick, own, question, answerTo(question, [1]));
  }
  assert.equal(table.length, 512);
  assert.ok(found(quick, own, ask('n4999', 9)));
});
