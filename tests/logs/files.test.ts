/** Logs in files over the API: limits, compression, bytes that are no UTF-8, and one that floods beside others. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, test } from 'node:test';
import { eventually, startEngine, type Engine } from '../scenarios/engine.ts';

describe('logs in files', () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(() => engine.close());

  const filesOf = async (name: string): Promise<string[]> => {
    const path = await engine.ok('docker', ['inspect', '-f', '{{.LogPath}}', name]);
    const base = path.split('/').at(-1) ?? '';
    return readdirSync(join(path, '..'))
      .filter((file) => file.startsWith(base))
      .map((file) => file.slice(base.length))
      .sort();
  };
  const numbers = (from: number, to: number): string =>
    Array.from({ length: to - from + 1 }, (_, index) => from + index).join('\n');

  for (const driver of ['local', 'json-file']) {
    it(`${driver}: rotated files are compressed, and read as if they were not`, async () => {
      const name = `compressed-${driver}`;
      const options = ['max-size=200k', 'max-file=40', 'compress=true'].flatMap((each) => [
        '--log-opt',
        each,
      ]);
      await engine.ok('docker', [
        'run',
        '-d',
        '--name',
        name,
        '--log-driver',
        driver,
        ...options,
        'busybox',
        'sh',
        '-c',
        'seq 1 30000; seq 30001 30005',
      ]);
      await engine.ok('docker', ['wait', name]);
      const files = await eventually('every full file is compressed', async () => {
        const found = await filesOf(name);
        const isDone = found.length > 3 && found.slice(1).every((file) => file.endsWith('.gz'));
        return isDone ? found : undefined;
      });
      assert.deepEqual(files, [
        '',
        ...files.slice(1).map((_, index) => `.${String(index + 1).padStart(10, '0')}.gz`),
      ]);
      assert.equal(await engine.ok('docker', ['logs', name]), numbers(1, 30_005));
      assert.equal(await engine.ok('slipway', ['logs', '--tail', '20000', name]), numbers(10_006, 30_005));
      assert.equal(
        await engine.ok('docker', ['logs', '--follow', '--tail', '3', name]),
        numbers(30_003, 30_005),
      );
      // A second run goes on in the same log.
      await engine.ok('docker', ['start', '-a', name]);
      const both = await engine.ok('docker', ['logs', name]);
      assert.equal(both, `${numbers(1, 30_005)}\n${numbers(1, 30_005)}`);
    });
  }

  it('local gives every byte back; json-file has U+FFFD for what is no UTF-8, as Docker', async () => {
    const text = 'a\\377\\200\\303b\\300\\303\\244\\0z';
    const output: Record<string, string> = {};
    for (const driver of ['local', 'json-file']) {
      const name = `bytes-${driver}`;
      await engine.ok('docker', ['run', '--name', name, '--log-driver', driver, 'busybox', 'printf', text]);
      const { stdout } = await engine.run('docker', ['logs', name]);
      output[driver] = stdout;
    }
    // The helper reads output as UTF-8: both look alike there, so the bytes are counted in the container's own words.
    const size = await engine.ok('docker', [
      'run',
      '--rm',
      '--log-driver',
      'none',
      'busybox',
      'sh',
      '-c',
      `printf '${text}' | wc -c`,
    ]);
    assert.equal(size, '10');
    assert.match(output['json-file'] ?? '', /^a\ufffd\ufffd\ufffdb\ufffdä\0z$/);
    assert.match(output['local'] ?? '', /^a\ufffd+b\ufffdä\0z$/);
  });

  it('details are what tag, labels and env choose, by name or by pattern', async () => {
    const options = ['labels-regex=^com\\.', 'env=STAGE', 'tag={{.Name}}/{{upper .ImageName}}'];
    await engine.ok('docker', [
      'run',
      '--name',
      'detailed',
      '--label',
      'com.example.team=x',
      '--label',
      'other=y',
      '-e',
      'STAGE=prod',
      ...options.flatMap((each) => ['--log-opt', each]),
      'busybox',
      'echo',
      'hello',
    ]);
    for (const client of ['docker', 'slipway'] as const) {
      assert.equal(
        await engine.ok(client, ['logs', '--details', 'detailed']),
        'STAGE=prod,com.example.team=x,tag=detailed%2FBUSYBOX hello',
      );
    }
  });

  it('none keeps nothing and says so', async () => {
    await engine.ok('docker', ['run', '--name', 'silent', '--log-driver', 'none', 'busybox', 'echo', 'x']);
    const { code, stderr } = await engine.run('docker', ['logs', 'silent']);
    assert.equal(code, 1);
    assert.match(stderr, /configured logging driver does not support reading/);
  });

  it('refuses drivers that there are not and options that they do not have', async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['splunk'], /error looking up logging plugin splunk: plugin "splunk" not found/],
      [['awslogs'], /error looking up logging plugin awslogs: plugin "awslogs" not found/],
      [['gcplogs'], /error looking up logging plugin gcplogs: plugin "gcplogs" not found/],
      [['etwlogs'], /error looking up logging plugin etwlogs: plugin "etwlogs" not found/],
      [['json-file', 'nosuch=1'], /unknown log opt 'nosuch' for json-file log driver/],
      [['local', 'labels=a'], /unknown log opt 'labels' for log driver local/],
      [['local', 'max-file=1'], /compression cannot be enabled when max file count is 1/],
      [['json-file', 'mode=x'], /logger: logging mode not supported: x/],
      [['json-file', 'tag={{.Nosuch}}'], /can't evaluate field Nosuch in type \*logger\.Info/],
      [['json-file', 'env-regex=('], /error parsing regexp: missing closing \): `\(`/],
      [['json-file', 'max-buffer-size=1m'], /only supported with 'mode=non-blocking'/],
    ];
    for (const [[driver = '', ...options], message] of cases) {
      const { code, stderr } = await engine.run('docker', [
        'create',
        '--log-driver',
        driver,
        ...options.flatMap((each) => ['--log-opt', each]),
        'busybox',
      ]);
      assert.equal(code, 1, driver);
      assert.match(stderr, message);
    }
  });

  it('a container that floods keeps to its files, and others are served meanwhile', async () => {
    await engine.ok('docker', [
      'run',
      '-d',
      '--name',
      'flood',
      '--log-opt',
      'max-size=1m',
      '--log-opt',
      'max-file=3',
      'busybox',
      'yes',
    ]);
    const follower = engine.background('docker', ['logs', '-f', 'flood']);
    follower.stdout?.pause();
    try {
      for (let round = 0; round < 3; round += 1) {
        const name = `beside-${round}`;
        await engine.ok('docker', ['run', '--name', name, 'busybox', 'echo', 'hello']);
        assert.equal(await engine.ok('docker', ['logs', name]), 'hello');
        // One more for a moment: the new file is there before the oldest goes.
        assert.ok((await filesOf('flood')).length <= 4);
      }
    } finally {
      follower.kill('SIGKILL');
    }
    await engine.ok('docker', ['kill', 'flood']);
    await engine.ok('docker', ['wait', 'flood']);
    assert.ok((await filesOf('flood')).length <= 3);
    await engine.ok('docker', ['rm', 'flood']);
  });
});

test('a daemon whose own log driver there is not, or with options that it does not have, does not start', async () => {
  for (const [args, message] of [
    [['--log-driver=splunk'], /logger: no log driver named 'splunk' is registered/],
    [['--log-driver=local', '--log-opt=nosuch=1'], /unknown log opt 'nosuch' for log driver local/],
  ] as const) {
    await assert.rejects(startEngine({ args }), message);
  }
});
