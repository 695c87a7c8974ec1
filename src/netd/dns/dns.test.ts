import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResolverConfig } from '../../core/ports/net-helper.ts';
import { answerLocally } from './answer.ts';
import { AnswerCache, CacheBudget } from './cache.ts';
import { RateLimit } from './limit.ts';
import { isSound, lifetime } from './records.ts';
import {
  answersQuestion,
  encodeFormatError,
  encodeName,
  encodeResponse,
  parseQuery,
  recordType,
  withId,
  type Query,
} from './wire.ts';
import { addressOfReverseName, Zones } from './zones.ts';

function ask(name: string, type: number, extra: Buffer = Buffer.alloc(0), additional = 0): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0x1234, 0);
  head.writeUInt16BE(0x0100, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(additional, 10);
  return Buffer.concat([head, encodeName(name), Buffer.from([0, type, 0, 1]), extra]);
}
function query(name: string, type: number): Query {
  const parsed = parseQuery(ask(name, type));
  assert.ok(parsed);
  return parsed;
}
const config = (...networkIds: string[]): ResolverConfig => ({
  containerId: 'c',
  networkIds,
  ownNames: [{ name: 'db', ipv4: ['10.9.9.9'], ipv6: [] }],
  upstreams: [],
  forward: true,
});
function zones(): Zones {
  const made = new Zones();
  made.set({
    networkId: 'n1',
    networkName: 'mynet',
    names: [
      { name: 'Web', ipv4: ['172.18.0.2'], ipv6: ['fd00::2'] },
      { name: 'app', ipv4: ['172.18.0.2'], ipv6: [] },
      { name: 'app', ipv4: ['172.18.0.3'], ipv6: [] },
    ],
  });
  made.set({
    networkId: 'n2',
    networkName: 'other',
    names: [{ name: 'secret', ipv4: ['10.0.0.2'], ipv6: [] }],
  });
  return made;
}
/** Response code, answer count, and the last four bytes as an address. */
function read(message: Buffer | undefined): { code: number; count: number; address: string; flags: number } {
  assert.ok(message);
  const flags = message.readUInt16BE(2);
  return {
    code: flags & 0xf,
    count: message.readUInt16BE(6),
    address: [...message.subarray(-4)].join('.'),
    flags,
  };
}

test('queries are read; what is none is not', () => {
  const parsed = query('WWW.Example.COM', recordType.A);
  assert.deepEqual(
    [parsed.name, parsed.type, parsed.id, parsed.udpSize],
    ['www.example.com', 1, 0x1234, 512],
  );
  const opt = Buffer.from([0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(parseQuery(ask('a', 1, opt, 1))?.udpSize, 4096);
  const response = ask('a', 1);
  response[2] = 0x81;
  for (const bad of [Buffer.alloc(0), Buffer.alloc(11), ask('a', 1).subarray(0, 14), response]) {
    assert.equal(parseQuery(bad), undefined);
  }
  const pointer = Buffer.concat([ask('', 1).subarray(0, 12), Buffer.from([0xc0, 0x0c, 0, 1, 0, 1])]);
  assert.equal(parseQuery(pointer), undefined);
});

test('what asks nothing is told so; what is no query at all is not answered', () => {
  const two = ask('a', 1);
  two.writeUInt16BE(2, 4);
  for (const bad of [two, ask('a', 1).subarray(0, 14)]) {
    const told = encodeFormatError(bad);
    // The id, response and recursion desired, and the code alone.
    assert.equal(told?.toString('hex'), '123481010000000000000000');
  }
  const response = ask('a', 1);
  response[2] = 0x81;
  for (const none of [response, Buffer.alloc(11), Buffer.alloc(0)])
    assert.equal(encodeFormatError(none), undefined);
});

test('a response of a server behind is handed on only when its records can be read', () => {
  const head = Buffer.from(ask('a', 1));
  head[2] = 0x81;
  head.writeUInt16BE(1, 6);
  const record = (name: number[], type: number, data: number[]): Buffer =>
    Buffer.concat([head, Buffer.from([...name, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length, ...data])]);
  const toQuestion = [0xc0, 12];
  assert.ok(isSound(record(toQuestion, 1, [192, 0, 2, 1])));
  assert.ok(isSound(record(toQuestion, 16, [1, 2])));
  assert.ok(isSound(record([0], 1, [192, 0, 2, 1])));
  assert.ok(!isSound(record(toQuestion, 1, [192, 0, 2])), 'an address of three bytes');
  assert.ok(!isSound(record(toQuestion, 28, [192, 0, 2, 1])));
  assert.ok(!isSound(record([0xc0, head.length], 1, [192, 0, 2, 1])), 'a name that means itself');
  assert.ok(!isSound(record([0xc0, head.length + 40], 1, [192, 0, 2, 1])), 'a name behind it');
  const whole = record(toQuestion, 1, [192, 0, 2, 1]);
  for (let length = 0; length < whole.length; length++) assert.ok(!isSound(whole.subarray(0, length)));
  const cut = Buffer.from(whole.subarray(0, whole.length - 1));
  cut[2] = 0x83;
  assert.ok(isSound(cut), 'it says itself that it is cut');
});

test('names of own networks are answered, in any case of letters, also with the network behind', () => {
  const all = zones();
  for (const name of ['web', 'WEB', 'web.mynet']) {
    const got = read(answerLocally(all, config('n1'), query(name, recordType.A), 512));
    assert.deepEqual([got.code, got.count, got.address], [0, 1, '172.18.0.2'], name);
    assert.equal(got.flags & 0x8580, 0x8180);
  }
  assert.equal(read(answerLocally(all, config('n1'), query('web', recordType.AAAA), 512)).count, 1);
  assert.equal(read(answerLocally(all, config('n1'), query('app', recordType.A), 512)).count, 2);
  assert.equal(read(answerLocally(all, config('n1'), query('db', recordType.A), 512)).address, '10.9.9.9');
});

test('a name without that kind of address is an empty answer; a foreign one is not ours', () => {
  const all = zones();
  const empty = read(answerLocally(all, config('n1'), query('app', recordType.AAAA), 512));
  assert.deepEqual([empty.code, empty.count], [0, 0]);
  assert.equal(read(answerLocally(all, config('n1'), query('web', 15), 512)).count, 0);
  assert.equal(answerLocally(all, config('n1'), query('secret', recordType.A), 512), undefined);
  assert.equal(
    answerLocally(all, config('n1'), query('2.0.0.10.in-addr.arpa', recordType.PTR), 512),
    undefined,
  );
  assert.ok(answerLocally(all, config('n1', 'n2'), query('secret', recordType.A), 512));
});

test('addresses have names', () => {
  const got = answerLocally(zones(), config('n1'), query('2.0.18.172.in-addr.arpa', recordType.PTR), 512);
  assert.ok(got?.includes(encodeName('Web.mynet')));
  assert.equal(addressOfReverseName(`${'2.0.'.repeat(16)}ip6.arpa`), '02'.repeat(16));
  assert.equal(addressOfReverseName('web'), undefined);
});

test('several addresses come in changing order', () => {
  const all = zones();
  const seen = new Set<string>();
  for (let round = 0; round < 200; round++) {
    seen.add(read(answerLocally(all, config('n1'), query('app', recordType.A), 512)).address);
  }
  assert.equal(seen.size, 2);
});

test('an answer that is too long is cut and says so', () => {
  const answers = Array.from({ length: 60 }, () => ({ type: 1, ttl: 600, data: Buffer.alloc(4) }));
  const cut = encodeResponse(query('a', 1), 0, answers, 512);
  assert.ok(cut.length <= 512 && (cut.readUInt16BE(2) & 0x0200) !== 0);
  assert.equal(encodeResponse(query('a', 1), 0, answers, 65_535).readUInt16BE(6), 60);
});

test('a response must be to the question', () => {
  const question = query('example.com', 1);
  const response = encodeResponse(question, 0, [], 512);
  assert.ok(answersQuestion(response, question));
  assert.ok(!answersQuestion(encodeResponse(query('example.org', 1), 0, [], 512), question));
  assert.ok(!answersQuestion(ask('example.com', 1), question));
  assert.equal(withId(response, 7).readUInt16BE(0), 7);
  assert.equal(response.readUInt16BE(0), 0x1234);
});

test('an emptied zone is forgotten', () => {
  const all = zones();
  all.set({ networkId: 'n1', networkName: 'mynet', names: [] });
  assert.equal(answerLocally(all, config('n1'), query('web', 1), 512), undefined);
  assert.deepEqual(
    all.all().map((zone) => zone.networkId),
    ['n2'],
  );
});

test('the rate limit lets a burst through, then a trickle', () => {
  const limit = new RateLimit(10, 3, 0);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => limit.take(0)),
    [true, true, true, false],
  );
  assert.ok(limit.take(100));
  assert.ok(!limit.take(100));
  assert.ok(!limit.take(300, 3), 'what costs more waits longer');
  assert.ok(limit.take(400, 3));
  assert.ok(!limit.take(400));
});

/** A response with records of `type`, TTL and data each, in the answer or the authority part. */
function response(name: string, code: number, answers: Buffer[], authority: Buffer[] = []): Buffer {
  const message = Buffer.concat([ask(name, recordType.A), ...answers, ...authority]);
  message.writeUInt16BE(0x8180 | code, 2);
  message.writeUInt16BE(answers.length, 6);
  message.writeUInt16BE(authority.length, 8);
  return message;
}
function record(type: number, ttl: number, data: Buffer): Buffer {
  const head = Buffer.from([0xc0, 0x0c, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length]);
  head.writeUInt32BE(ttl, 6);
  return Buffer.concat([head, data]);
}
const soa = (ttl: number, minimum: number): Buffer => {
  const numbers = Buffer.alloc(20);
  numbers.writeUInt32BE(minimum, 16);
  return record(recordType.SOA, ttl, Buffer.concat([Buffer.from([0, 0]), numbers]));
};

test('how long an answer holds: the least of its records, or what the zone says of absent names', () => {
  const a = (ttl: number): Buffer => record(recordType.A, ttl, Buffer.from([1, 2, 3, 4]));
  assert.equal(lifetime(response('a.b', 0, [a(300), a(60)])), 60);
  assert.equal(lifetime(response('a.b', 0, [a(1_000_000)])), 3600);
  assert.equal(lifetime(response('a.b', 0, [a(0)])), 0);
  assert.equal(lifetime(response('a.b', 3, [], [soa(900, 30)])), 30);
  assert.equal(lifetime(response('a.b', 0, [], [soa(20, 30)])), 20);
  assert.equal(lifetime(response('a.b', 3, [])), 0, 'nobody says how long');
  assert.equal(lifetime(response('a.b', 2, [a(300)])), 0, 'a failure');
  const cut = response('a.b', 0, [a(300)]);
  cut.writeUInt16BE(0x8380, 2);
  assert.equal(lifetime(cut), 0);
  for (const bad of [cut.subarray(0, 5), response('a.b', 0, [a(300)]).subarray(0, 25)])
    assert.equal(lifetime(bad), 0);
  const loop = response('a.b', 0, [a(300)]);
  loop.writeUInt16BE(60_000, 6);
  assert.equal(lifetime(loop), 0, 'more records told than there are');
});

test('the cache answers under the id and spelling of each query, with less to live, until it is over', () => {
  const cache = new AnswerCache();
  const message = ask('Example.com', recordType.A);
  const asked = parseQuery(message);
  assert.ok(asked);
  const answer = response('example.com', 0, [record(recordType.A, 100, Buffer.from([1, 2, 3, 4]))]);
  cache.keep('udp', asked, message, answer, 5000);
  const other = ask('EXAMPLE.com', recordType.A);
  other.writeUInt16BE(0x7777, 0);
  const again = parseQuery(other);
  assert.ok(again);
  const found = cache.find('udp', again, other, 45_000);
  assert.ok(found);
  assert.equal(found.readUInt16BE(0), 0x7777);
  assert.equal(found.toString('latin1', 13, 20), 'EXAMPLE');
  assert.equal(found.readUInt32BE(found.length - 10), 60);
  assert.equal(answer.readUInt32BE(answer.length - 10), 100, 'what is kept stays as it was');
  assert.equal(cache.find('tcp', again, other, 45_000), undefined, 'sizes differ');
  const sixth = ask('example.com', recordType.AAAA);
  assert.equal(cache.find('udp', query('example.com', recordType.AAAA), sixth, 45_000), undefined);
  assert.equal(cache.find('udp', again, other, 105_000), undefined);
  for (let number = 0; number < 1100; number++) {
    const one = ask(`n${number}.test`, recordType.A);
    cache.keep('udp', query(`n${number}.test`, recordType.A), one, answer, 0);
  }
  assert.equal(cache.find('udp', query('n0.test', 1), ask('n0.test', 1), 1), undefined, 'the oldest went');
  assert.ok(cache.find('udp', query('n1099.test', 1), ask('n1099.test', 1), 1));
});

test('all caches together stay within their memory, and none drives out another', () => {
  const budget = new CacheBudget(2000);
  const [one, other] = [new AnswerCache(budget), new AnswerCache(budget)];
  const answer = response('a.test', 0, [record(recordType.A, 100, Buffer.from([1, 2, 3, 4]))]);
  const keep = (cache: AnswerCache, name: string): void =>
    cache.keep('udp', query(name, recordType.A), ask(name, recordType.A), answer, 0);
  const has = (cache: AnswerCache, name: string): boolean =>
    cache.find('udp', query(name, recordType.A), ask(name, recordType.A), 1) !== undefined;
  keep(other, 'mine.test');
  for (let number = 0; number < 20; number++) keep(one, `n${number}.test`);
  assert.ok(has(other, 'mine.test'));
  assert.ok(has(one, 'n19.test') && !has(one, 'n0.test'));
  assert.ok(!budget.take(600), 'it is full');
  one.clear();
  other.clear();
  assert.ok(budget.take(2000), 'all of it came back');
});
