import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlagError } from '../exit.ts';
import type { FlagRow } from '../reference.ts';
import { parseFlags } from './parse.ts';
import { parseBytes, parseCpus, parseCsv, parseDuration, parseInt64 } from './values.ts';

const rows: readonly FlagRow[] = [
  ['i', 'interactive', 'bool', ''],
  ['t', 'tty', 'bool', ''],
  ['', 'sig-proxy', 'bool', 'Proxy signals (default true)'],
  ['p', 'publish', 'list', ''],
  ['n', 'last', 'int', 'Show n (default -1)'],
  ['', 'pull', 'string', 'Pull (default "missing")'],
  ['', 'subnet', 'strings', ''],
  ['m', 'memory', 'bytes', ''],
];
const parse = (words: readonly string[], interspersed = true) => parseFlags({ rows, interspersed }, words);

test('long, short, joined and bundled flags', () => {
  const { flags, args } = parse([
    '-it',
    '-p8080:80',
    '-p',
    '1:1',
    '-p=2:2',
    '--publish=3:3',
    '-m',
    '1g',
    'x',
    '--last',
    '4',
    'y',
  ]);
  assert.ok(flags.bool('interactive') && flags.bool('tty'));
  assert.deepEqual(flags.list('publish'), ['8080:80', '1:1', '2:2', '3:3']);
  assert.equal(flags.number('last'), 4);
  assert.equal(flags.number('memory'), 1024 ** 3);
  assert.deepEqual(args, ['x', 'y']);
});

test('defaults come from the descriptions, and changed tells what was given', () => {
  const { flags } = parse(['--sig-proxy=false']);
  assert.equal(parse([]).flags.bool('sig-proxy'), true);
  assert.equal(flags.bool('sig-proxy'), false);
  assert.equal(flags.number('last'), -1);
  assert.equal(flags.string('pull'), 'missing');
  assert.deepEqual([flags.changed('sig-proxy'), flags.changed('pull')], [true, false]);
});

test('what follows the first argument belongs to the container when flags are not interspersed', () => {
  const { flags, args } = parse(['-i', 'image', '-t', '--foo'], false);
  assert.deepEqual(args, ['image', '-t', '--foo']);
  assert.equal(flags.bool('tty'), false);
});

test('-- ends the flags, - is an argument, lists of values split at commas', () => {
  assert.deepEqual(parse(['-', '--', '-i']).args, ['-', '-i']);
  assert.deepEqual(parse(['--subnet', 'a,b', '--subnet', 'c']).flags.list('subnet'), ['a', 'b', 'c']);
});

const wrong: readonly (readonly [string[], string])[] = [
  [['--nope'], 'unknown flag: --nope'],
  [['-x'], "unknown shorthand flag: 'x' in -x"],
  [['-itx'], "unknown shorthand flag: 'x' in -itx"],
  [['--last'], 'flag needs an argument: --last'],
  [['-in'], "flag needs an argument: 'n' in -in"],
  [['--last=x'], 'invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax'],
  [
    ['-i=maybe'],
    'invalid argument "maybe" for "-i, --interactive" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
  ],
  [['--=x'], 'bad flag syntax: --=x'],
];
for (const [words, message] of wrong) {
  test(`refused: ${words.join(' ')}`, () => {
    assert.throws(
      () => parse(words),
      (error) => error instanceof FlagError && error.message === message,
    );
  });
}

test('values', () => {
  assert.deepEqual(
    ['1.5g', '512m', '64K', '100', '2 kb', '1GiB'].map(parseBytes),
    [1610612736, 536870912, 65536, 100, 2048, 1073741824],
  );
  assert.throws(() => parseBytes('5x'), { message: "invalid suffix: 'x'" });
  assert.throws(() => parseBytes('m'), { message: "invalid size: 'm'" });
  assert.deepEqual(['1h30m', '1.5s', '0', '-2ms', '1us'].map(parseDuration), [5.4e12, 1.5e9, 0, -2e6, 1000]);
  assert.throws(() => parseDuration('5'), { message: 'time: missing unit in duration "5"' });
  assert.deepEqual(['1.5', '3/2', '0.001'].map(parseCpus), [1.5e9, 1.5e9, 1e6]);
  assert.deepEqual(['0x10', '010', '-7'].map(parseInt64), [16, 8, -7]);
  assert.throws(() => parseInt64('99999999999999999999'), /value out of range/);
  assert.deepEqual(parseCsv('a,"b,c","d""e"'), ['a', 'b,c', 'd"e']);
});
