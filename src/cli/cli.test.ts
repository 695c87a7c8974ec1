import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { apiTime } from './api-time.ts';
import { DetachScanner, parseKeys } from './attach/detach-keys.ts';
import { commandPaths, findCommand } from './command-table.ts';
import { loadConfig } from './config.ts';
import { eraseAuth, findAuth, registryOf, storeAuth } from './credentials.ts';
import { startErrorCode } from './exit.ts';
import { helpText } from './help.ts';
import { collectEnv, collectLabels } from './key-values.ts';
import { familiarName, parseName } from './reference-name.ts';
import { runHint } from './run/hints.ts';
import { suggestion } from './suggest.ts';

test('exit codes of a failed start', () => {
  assert.equal(startErrorCode('exec: "x": executable file not found in $PATH'), 127);
  assert.equal(startErrorCode('exec: "/x": stat /x: no such file or directory'), 127);
  assert.equal(startErrorCode('exec: "/etc": is a directory: permission denied'), 126);
  assert.equal(startErrorCode('port is already allocated'), 125);
});

test('detach keys are found across pieces, and a broken sequence is passed on', () => {
  const scanner = new DetachScanner(parseKeys('ctrl-p,ctrl-q'));
  assert.deepEqual(scanner.scan(Uint8Array.from([97, 16])), {
    bytes: Uint8Array.from([97]),
    detached: false,
  });
  assert.deepEqual(scanner.scan(Uint8Array.from([16, 98])), {
    bytes: Uint8Array.from([16, 16, 98]),
    detached: false,
  });
  assert.deepEqual(scanner.scan(Uint8Array.from([16])), { bytes: Uint8Array.from([]), detached: false });
  assert.equal(scanner.scan(Uint8Array.from([17, 99])).detached, true);
  assert.deepEqual(parseKeys('ctrl-a,d,ctrl-@'), [1, 100, 0]);
  assert.throws(() => parseKeys('ctrl-1'), /unknown character/);
});

test('image names', () => {
  assert.equal(parseName('busybox').full, 'docker.io/library/busybox');
  assert.equal(parseName('user/app:v1').full, 'docker.io/user/app');
  assert.deepEqual(parseName('localhost:5000/a/b:1').tag, '1');
  assert.equal(parseName('localhost/a').full, 'localhost/a');
  assert.equal(familiarName(parseName('docker.io/library/busybox')), 'busybox:latest');
  assert.throws(() => parseName('a b'), /invalid reference format/);
  assert.throws(() => parseName('x/UPPER'), /repository name \(x\/UPPER\) must be lowercase/);
  assert.throws(() => parseName('a'.repeat(64)), /64-byte hexadecimal/);
  assert.equal(registryOf(parseName('busybox').full), 'https://index.docker.io/v1/');
  assert.equal(registryOf(parseName('h:1/x').full), 'h:1');
});

test('hints for slips of the hand', () => {
  assert.match(
    runHint(['alpine', '--network=none'], 127, '') ?? '',
    /Options go before the image: slipway run --network=none alpine/,
  );
  assert.match(
    runHint(['Ubuntu'], 125, 'repository name (library/Ubuntu) must be lowercase') ?? '',
    /slipway run ubuntu/,
  );
  assert.equal(runHint(['alpine', 'nosuch'], 127, ''), undefined);
  assert.equal(suggestion(['stpo']), "Did you mean 'slipway stop'?");
  assert.match(suggestion(['prune']) ?? '', /slipway container prune/);
  assert.equal(suggestion(['zzzzzz']), undefined);
});

test('times for the API', () => {
  const now = 1_700_000_000_000;
  assert.equal(apiTime('10m', now, 'since'), '1699999400');
  assert.equal(apiTime('1234.5', now, 'since'), '1234.5');
  assert.equal(apiTime('2026-01-02T03:04:05.5Z', now, 'since'), '1767323045.500000000');
  assert.throws(
    () => apiTime('soon', now, 'until'),
    /invalid value for "until": failed to parse value as time or duration: "soon"/,
  );
});

test('environment and label files', () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'slip-env-'));
  const file = path.join(directory, 'env');
  fs.writeFileSync(file, '# note\n\nA=1\nB=x y=z\nHOME\nNOTSET\r\n');
  assert.deepEqual(collectEnv([file], ['C=3', 'HOME', 'UNSET'], { HOME: '/h' }), [
    'A=1',
    'B=x y=z',
    'HOME=/h',
    'C=3',
    'HOME=/h',
    'UNSET',
  ]);
  assert.deepEqual(collectLabels([], ['a=b', 'c']), { a: 'b', c: '' });
  fs.writeFileSync(file, 'bad name=1\n');
  assert.throws(() => collectEnv([file], [], {}), /contains whitespaces/);
  fs.rmSync(directory, { recursive: true });
});

test('passwords are stored, found and forgotten, and the rest of the file stays', () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'slip-auth-'));
  fs.writeFileSync(path.join(directory, 'config.json'), '{"psFormat":"x","auths":{"other":{"auth":"YTpi"}}}');
  storeAuth(loadConfig(directory), 'localhost:5000', { username: 'u', password: 'p:w' });
  const config = loadConfig(directory);
  assert.equal(config.psFormat, 'x');
  assert.deepEqual(findAuth(config, 'localhost:5000'), {
    username: 'u',
    password: 'p:w',
    serveraddress: 'localhost:5000',
  });
  assert.deepEqual(findAuth(config, 'other'), { username: 'a', password: 'b', serveraddress: 'other' });
  assert.equal(fs.statSync(config.file).mode & 0o777, 0o600);
  eraseAuth(config, 'localhost:5000');
  assert.equal(findAuth(loadConfig(directory), 'localhost:5000'), undefined);
  fs.rmSync(directory, { recursive: true });
});

test('every command has a help page that fits its width, and loads', async () => {
  for (const name of ['', ...commandPaths()]) {
    const page = helpText(name, 100, '/root');
    assert.match(page, /^Usage: {2}slipway/);
    for (const banned of ['swarm', 'compose', 'buildx', 'plugin ', 'context'])
      assert.ok(!page.split('\n').some((line) => line.trim().startsWith(banned)));
    const found = name === '' ? undefined : findCommand(name.split(' '));
    if (found !== undefined) assert.equal(typeof (await found.load()).command.run, 'function');
  }
});

test('a broken configuration is told and never overwritten', () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'slip-config-'));
  fs.writeFileSync(path.join(directory, 'config.json'), '{bad');
  const config = loadConfig(directory);
  assert.match(config.problem ?? '', /JSON/);
  assert.throws(
    () => storeAuth(config, 'h', { username: 'u', password: 'p' }),
    /is broken and was left as it is/,
  );
  assert.equal(fs.readFileSync(config.file, 'utf8'), '{bad');
  fs.rmSync(directory, { recursive: true });
});
