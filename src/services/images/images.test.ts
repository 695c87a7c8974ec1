import assert from 'node:assert/strict';
import { test } from 'node:test';
import { computedMs } from '#tests/helpers/processor-time.ts';
import { parseMoment } from './filters.ts';
import { globMatch } from './glob.ts';
import { choosePlatform, parseDocument, parsePlatformText } from './manifests.ts';
import { humanSize, progressBar } from './progress.ts';

test('patterns match as in Go: stars stop at slashes', () => {
  const yes = [
    ['*', 'busybox'],
    ['busy*', 'busybox:1'],
    ['*/*', 'a/b'],
    ['b?sybox', 'busybox'],
    ['[a-c]x', 'bx'],
    ['[^a]x', 'bx'],
    ['a\\*', 'a*'],
    ['*a*b*', 'xaybz'],
    ['', ''],
  ];
  const no = [
    ['*', 'a/b'],
    ['a', 'ab'],
    ['?', '/'],
    ['[a-c]x', 'dx'],
    ['[a', 'a'],
    ['*a', 'ab'],
    ['a*c', 'ab/c'],
    ['', 'a'],
  ];
  for (const [pattern = '', text = ''] of yes) assert.ok(globMatch(pattern, text), `${pattern} ${text}`);
  for (const [pattern = '', text = ''] of no) assert.ok(!globMatch(pattern, text), `${pattern} ${text}`);
  const start = computedMs();
  assert.ok(!globMatch('*a'.repeat(500), `${'a'.repeat(5000)}b`));
  assert.ok(computedMs() - start < 1000);
});

test('moments: Unix times, dates, durations back from now', () => {
  assert.equal(parseMoment('1700000000', 5), 1_700_000_000);
  assert.equal(parseMoment('1h30m', 10_000), 10_000 - 5400);
  assert.equal(parseMoment('2024-01-01T00:00:00Z', 0), 1_704_067_200);
  assert.throws(() => parseMoment('tomorrow', 0), { kind: 'invalid' });
});

test('platforms: aliases, variants, and the nearest that runs', () => {
  const host = { os: 'linux', architecture: 'amd64' };
  assert.deepEqual(parsePlatformText('linux/aarch64', host), { os: 'linux', architecture: 'arm64' });
  assert.deepEqual(parsePlatformText('arm/v6', host), { os: 'linux', architecture: 'arm', variant: 'v6' });
  assert.deepEqual(parsePlatformText('x86_64', host), host);
  assert.throws(() => parsePlatformText('a/b/c/d', host), { kind: 'invalid' });
  const entry = (architecture: string, variant?: string) => ({
    mediaType: '',
    digest: `${architecture}${variant ?? ''}`,
    size: 1,
    platform: { os: 'linux', architecture, ...(variant !== undefined && { variant }) },
  });
  const all = [
    entry('arm', 'v5'),
    entry('arm', 'v6'),
    entry('arm', 'v7'),
    entry('arm64', 'v8'),
    entry('amd64'),
  ];
  const choose = (architecture: string, variant?: string): string =>
    choosePlatform(all, { os: 'linux', architecture, ...(variant !== undefined && { variant }) }).digest;
  assert.equal(choose('arm'), 'armv7');
  assert.equal(choose('arm', 'v6'), 'armv6');
  assert.equal(choose('arm64'), 'arm64v8');
  assert.equal(choose('amd64'), 'amd64');
  assert.throws(() => choose('s390x'), { kind: 'notFound' });
  assert.throws(
    () => choosePlatform(all.slice(2, 3), { os: 'linux', architecture: 'arm', variant: 'v6' }),
    /no matching manifest/,
  );
});

test('documents that are none of the known are refused', () => {
  const parse = (value: unknown, type = ''): unknown =>
    parseDocument(Buffer.from(JSON.stringify(value)), type);
  assert.throws(() => parse({ schemaVersion: 1 }), /schema 1/);
  assert.throws(() => parse([]), /not an object/);
  assert.throws(
    () => parse({ schemaVersion: 2, config: { digest: 'md5:1' }, layers: [] }),
    /invalid checksum digest/,
  );
  assert.throws(
    () => parse({ schemaVersion: 2, manifests: [] }, 'application/vnd.oci.image.manifest.v1+json'),
    /does not fit its media type/,
  );
});

test('sizes and bars as Docker draws them', () => {
  assert.equal(humanSize(1_234_567), '1.235MB');
  assert.equal(humanSize(512), '512B');
  assert.equal(progressBar(5, 10), `[${'='.repeat(25)}>${' '.repeat(25)}]      5B/10B`);
});
