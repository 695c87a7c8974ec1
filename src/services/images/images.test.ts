import assert from 'node:assert/strict';
import { test } from 'node:test';
import { computedMs } from '#tests/helpers/processor-time.ts';
import { parsePlatformText, platformFit } from '../../core/platform.ts';
import { domainOf } from './distribution.ts';
import { globMatch, isPattern } from './glob.ts';
import { choosePlatform, parseDocument } from './manifests.ts';
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
  for (const pattern of ['[', 'a[', '[^', '[]', '[]a]', 'a\\']) assert.ok(!isPattern(pattern), pattern);
  for (const pattern of ['', '*', '[a-z]', '[^a]', '\\[']) assert.ok(isPattern(pattern), pattern);
  const start = computedMs();
  assert.ok(!globMatch('*a'.repeat(500), `${'a'.repeat(5000)}b`));
  assert.ok(computedMs() - start < 1000);
});

test('platforms: aliases, variants, and the nearest that runs', () => {
  const host = { os: 'linux', architecture: 'amd64' };
  assert.deepEqual(parsePlatformText('linux/aarch64', host), { os: 'linux', architecture: 'arm64' });
  assert.deepEqual(parsePlatformText('arm/v6', host), { os: 'linux', architecture: 'arm', variant: 'v6' });
  assert.deepEqual(parsePlatformText('x86_64', host), host);
  assert.deepEqual(parsePlatformText('windows', host), { os: 'windows', architecture: 'amd64' });
  assert.deepEqual(parsePlatformText('linux/armel', host), {
    os: 'linux',
    architecture: 'arm',
    variant: 'v6',
  });
  assert.deepEqual(parsePlatformText('linux/arm/7', host), {
    os: 'linux',
    architecture: 'arm',
    variant: 'v7',
  });
  const words = [
    ['zz', '"zz": unknown operating system or architecture: invalid argument'],
    ['a/b/c/d', '"a/b/c/d": cannot parse platform specifier: invalid argument'],
    ['linux/*', '"linux/*": wildcards not yet supported: invalid argument'],
  ] as const;
  for (const [text, message] of words)
    assert.throws(() => parsePlatformText(text, host), { kind: 'invalid', message });
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
  // A config that names no variant may be of any.
  const arm = { os: 'linux', architecture: 'arm' };
  assert.ok(platformFit({ ...arm, variant: 'v6' }, arm) > 0);
  assert.ok(platformFit({ ...arm, variant: 'v6' }, { ...arm, variant: 'v7' }) < 0);
  // v1 is what every amd64 is; a program for a newer one is not chosen unasked.
  assert.equal(choose('amd64', 'v1'), 'amd64');
  assert.equal(choose('amd64', 'v3'), 'amd64');
  const [plain, first, third] = [undefined, 'v1', 'v3'].map((each) => entry('amd64', each).platform);
  assert.ok(plain !== undefined && first !== undefined && third !== undefined);
  assert.ok(platformFit(plain, first) > 0 && platformFit(third, first) > 0 && platformFit(plain, third) < 0);
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

test('a login goes to the registry that was meant, or nowhere', () => {
  const domains = [
    ['', 'docker.io'],
    ['https://index.docker.io/v1/', 'docker.io'],
    ['registry.test:5000', 'registry.test:5000'],
    ['http://registry.test/v2/', 'registry.test'],
    ['[::1]:5000', '[::1]:5000'],
  ] as const;
  for (const [address, domain] of domains) assert.equal(domainOf(address), domain);
  for (const address of ['http://', 'https:///v1/', 'a b', 'user@registry.test', 'registry.test:port', '?'])
    assert.throws(() => domainOf(address), {
      kind: 'invalid',
      message: `unable to parse server address: ${JSON.stringify(address)}`,
    });
});

test('what an index says of a platform is kept, odd values are not', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const platform = {
    os: 'linux',
    architecture: 'arm',
    variant: 'v7',
    'os.version': '1',
    'os.features': ['a', 2],
  };
  const index = { schemaVersion: 2, manifests: [{ mediaType: '', digest, size: 1, platform }] };
  const found = parseDocument(Buffer.from(JSON.stringify(index)), '');
  assert.ok(found.is === 'index');
  assert.deepEqual(found.manifests[0]?.platform, { ...platform, 'os.features': ['a'] });
});
