import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { backgroundCtx } from '../core/ctx.ts';
import { entriesOf } from '../core/log-batch.ts';
import { isKind } from '../core/errors.ts';
import { createJsonFileDriver, createLogDrivers, createNoneDriver, defaultLogLimits } from './index.ts';
import { openUnixDatagram } from '../host/index.ts';
import { parseHumanSize } from '../core/human-size.ts';
import { nanosecondsOf, parseEntry } from './spool/entry.ts';

const everything = { tail: undefined, sinceNano: undefined, untilNano: undefined, follow: false };

async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'slip-'));
  try {
    await body(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

test('entries, with and without attributes, and damaged lines', () => {
  assert.deepEqual(parseEntry('{"log":"a\\ufffd\\n","stream":"stderr","attrs":{"tag":"t"},"time":"T"}'), {
    fromStderr: true,
    log: 'a\ufffd\n',
    time: 'T',
    attributes: { tag: 't' },
  });
  for (const damaged of [
    '',
    '{"log":"cut sh',
    '[]',
    '"x"',
    '{"log":1,"time":"T"}',
    '{"log":"x"}',
    '\0\0\0',
  ]) {
    assert.equal(parseEntry(damaged), undefined, damaged);
  }
});

test('times to nanoseconds', () => {
  assert.equal(nanosecondsOf('1970-01-01T00:00:01Z'), 1_000_000_000n);
  assert.equal(nanosecondsOf('1970-01-01T00:00:01.5Z'), 1_500_000_000n);
  assert.equal(nanosecondsOf('2026-11-21T10:00:00.123456789Z'), 1_795_255_200_123_456_789n);
  assert.equal(nanosecondsOf('yesterday'), undefined);
});

test('sizes as Docker reads them for logs', () => {
  const sizes = {
    '10m': 10_000_000,
    '1k': 1000,
    '1.5g': 1_500_000_000,
    '7': 7,
    '2KB': 2000,
    '3 MiB': 3_000_000,
  };
  for (const [text, size] of Object.entries(sizes)) assert.equal(parseHumanSize(text), size, text);
  for (const text of ['', 'm', '-1', '1x', '1 2']) assert.equal(parseHumanSize(text), undefined, text);
});

test('options and defaults', () => {
  const driver = createJsonFileDriver();
  const validate = (options: Record<string, string>) => driver.validate(options);
  assert.deepEqual(validate({}), defaultLogLimits);
  assert.deepEqual(validate({ 'max-file': '2' }), { maxSize: defaultLogLimits.maxSize, maxFile: 2 });
  assert.deepEqual(validate({ 'max-size': '-1' }), { maxSize: 0, maxFile: 1 });
  assert.deepEqual(validate({ 'max-size': '5k', compress: 'false' }), { maxSize: 5000, maxFile: 1 });
  assert.deepEqual(validate({ 'max-size': '5k', 'max-file': '2', compress: 'true' }), {
    maxSize: 5000,
    maxFile: 2,
    compress: true,
  });
  for (const options of [
    { compress: 'true', 'max-file': '1' },
    { compress: 'true', 'max-size': '1m' },
  ]) {
    assert.throws(() => validate(options), /compress cannot be true when max-file is less than 2/);
  }
  assert.throws(() => validate({ compress: 'maybe' }), {
    message: 'strconv.ParseBool: parsing "maybe": invalid syntax',
  });
  assert.throws(() => validate({ 'max-size': '0' }), /max-size must be a positive number/);
  assert.throws(() => validate({ 'max-file': 'x' }), /strconv\.Atoi/);
});

test('the none driver refuses to be read', () => {
  const none = createNoneDriver();
  assert.throws(
    () => none.read(backgroundCtx(), '', everything),
    (error) =>
      isKind(error, 'notImplemented') &&
      error.message === 'configured logging driver does not support reading',
  );
  assert.deepEqual(
    [...createLogDrivers({ openDatagram: openUnixDatagram }).keys()],
    ['json-file', 'local', 'none', 'syslog', 'journald', 'fluentd', 'gelf'],
  );
});

test('long lines and tails beyond one block, damaged lines skipped, an unfinished line left out', async () => {
  await inDirectory(async (directory) => {
    const path = join(directory, 'json.log');
    const line = (text: string): string =>
      `${JSON.stringify({ log: text, stream: 'stdout', time: '2026-01-01T00:00:00Z' })}\n`;
    const long = 'x'.repeat(300_000);
    await writeFile(
      path,
      `${line('first\n')}${line(long)}not json\n${line('third\n')}${line('fourth\n')}{"log":"unfin`,
    );
    const driver = createJsonFileDriver();
    const read = async (tail: number | undefined): Promise<string[]> => {
      const found: string[] = [];
      for await (const entry of entriesOf(driver.read(backgroundCtx(), path, { ...everything, tail })))
        found.push(String(entry.line));
      return found;
    };
    assert.deepEqual(await read(undefined), ['first\n', long, 'third\n', 'fourth\n']);
    assert.deepEqual(await read(1), ['fourth\n']);
    assert.deepEqual(await read(4), [long, 'third\n', 'fourth\n']);
    assert.deepEqual(await read(0), []);
  });
});

test('a line that is written in two parts is delivered once and whole', async () => {
  await inDirectory(async (directory) => {
    const path = join(directory, 'json.log');
    await writeFile(path, '{"log":"a\\n","stream":"stdout","ti');
    const ended = Promise.withResolvers<void>();
    const entries = entriesOf(
      createJsonFileDriver().read(backgroundCtx(), path, {
        ...everything,
        follow: true,
        ended: ended.promise,
      }),
    );
    const iterator = entries[Symbol.asyncIterator]();
    const first = iterator.next();
    await appendFile(path, 'me":"2026-01-01T00:00:00Z"}\n');
    assert.equal(String((await first).value?.line), 'a\n');
    ended.resolve();
    assert.equal((await iterator.next()).done, true);
  });
});

test('labels, environment and tag of the container become attributes', () => {
  const driver = createJsonFileDriver();
  const container = {
    id: '0123456789abcdef',
    name: 'web',
    imageId: 'sha256:fedcba9876543210',
    imageName: 'nginx:1',
    createdAt: '2026-01-02T03:04:05Z',
    path: 'nginx',
    args: ['-g', 'daemon off;'],
    logPath: '/log',
    labels: { team: 'x', stage: 'prod', other: 'o' },
    env: ['A=1', 'B=2=2', 'C'],
  };
  const choose = (options: Record<string, string>) => driver.attributes?.(options, container);
  assert.equal(choose({ 'max-size': '1m' }), undefined);
  assert.deepEqual(choose({ labels: 'team,none', env: 'B,C' }), { team: 'x', B: '2=2', C: '' });
  assert.deepEqual(choose({ 'labels-regex': '^(team|stage)$', 'env-regex': 'A' }), {
    team: 'x',
    stage: 'prod',
    A: '1',
  });
  assert.deepEqual(choose({ tag: '{{.Name}}/{{ .ID }} {{.ImageID}}' }), {
    tag: 'web/0123456789ab fedcba987654',
  });
  for (const [tag, text] of [
    ['{{upper .Name}}', 'WEB'],
    ['{{.ContainerName}} {{.FullID}}', '/web 0123456789abcdef'],
    ['{{.ImageName}} {{.ImageFullID}} {{.DaemonName}}', 'nginx:1 sha256:fedcba9876543210 docker'],
    ['{{index .ContainerLabels "team"}} {{.Command}}', 'x nginx -g daemon off;'],
    ['{{with .Name}}{{.}}{{end}} {{json .ContainerArgs}}', 'web ["-g","daemon off;"]'],
    ['plain', 'plain'],
  ] as const) {
    assert.deepEqual(choose({ tag }), { tag: text });
  }
  for (const [options, message] of [
    [
      { tag: '{{.Nosuch}}' },
      'template: log-tag:1:2: executing "log-tag" at <.Nosuch>: can\'t evaluate field Nosuch in type *logger.Info',
    ],
    [{ tag: '{{nofunc}}' }, 'template: log-tag:1: function "nofunc" not defined'],
    [{ 'env-regex': '(' }, 'error parsing regexp: missing closing ): `(`'],
  ] as const) {
    assert.throws(() => driver.validate(options), { message });
  }
});
