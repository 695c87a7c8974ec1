// timeout: 300
/** The real docker CLI against the built engine: its streams and its terminal. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, startEngine, type Engine } from '../scenarios/engine.ts';
import { onTerminal, type Session, type Step } from './terminal.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(async () => await engine.close());

const docker = async (...args: string[]): Promise<string> => await engine.ok('docker', args);
const terminal = async (args: readonly string[], steps: readonly Step[]): Promise<Session> =>
  await onTerminal(['docker', '-H', `unix://${engine.socket}`, ...args], steps);

test('run -it: a terminal with the size of the window, Ctrl-C and an exit code', async () => {
  const { output, code } = await terminal(
    ['run', '-it', '--rm', 'busybox', 'sh'],
    [
      ['# ', 'stty size\n'],
      ['33 101', 'echo $((6*7))\n'],
      // One process group from before its first word: an interactive shell itself could take Ctrl-C before it has a child.
      ['42', `sh -c 'echo sle""eping; sleep 1000'\n`],
      ['sleeping', '\u0003'],
      ['# ', 'exit 5\n'],
    ],
  );
  assert.equal(code, 5, output);
});

test('run -it follows the window', async () => {
  const { output, code } = await terminal(
    ['run', '-it', '--rm', 'busybox', 'sh'],
    [
      ['# ', 'trap "stty size; exit 7" WINCH; echo rea""dy; while :; do sleep 1; done\n'],
      ['ready', { rows: 44, columns: 55 }],
    ],
  );
  assert.match(output, /44 55/);
  assert.equal(code, 7);
});

test('Ctrl-P Ctrl-Q detaches, attach comes back', async () => {
  const left = await terminal(
    ['run', '-it', '--name', 'detached', 'busybox', 'sh'],
    [['# ', '\u0010\u0011']],
  );
  assert.equal(left.code, 0, left.output);
  assert.equal(await docker('inspect', '-f', '{{.State.Running}}', 'detached'), 'true');
  const back = await terminal(
    ['attach', 'detached'],
    [
      ['', 'echo ba""ck\n'],
      ['back', 'exit 4\n'],
    ],
  );
  assert.equal(back.code, 4, back.output);
  await docker('rm', 'detached');
});

test('exec -it has a terminal of its own', async () => {
  await docker('run', '-d', '--name', 'exec', 'busybox', 'sleep', '1000');
  const { output, code } = await terminal(
    ['exec', '-it', 'exec', 'sh'],
    [
      ['# ', 'stty size\n'],
      ['33 101', 'exit 6\n'],
    ],
  );
  assert.equal(code, 6, output);
  await docker('rm', '-f', 'exec');
});

test('run -i streams stdin to its end, and the output comes back whole', async () => {
  const input = Array.from({ length: 200_000 }, (_, line) => `line ${line}\n`).join('');
  const outcome = await engine.run('docker', ['run', '-i', '--rm', 'busybox', 'cat'], input);
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.ok(outcome.stdout === input, 'every byte, in order');
  const counted = await engine.run('docker', ['run', '-i', '--rm', 'busybox', 'wc', '-c'], input);
  assert.equal(counted.stdout.trim(), String(input.length));
});

test('stdout and stderr stay apart, in run, attach, exec and logs', async () => {
  const script = 'echo out; echo err >&2; exit 3';
  const run = await engine.run('docker', ['run', '--name', 'apart', 'busybox', 'sh', '-c', script]);
  assert.deepEqual(run, { code: 3, stdout: 'out\n', stderr: 'err\n' });
  const logs = await engine.run('docker', ['logs', 'apart']);
  assert.deepEqual(logs, { code: 0, stdout: 'out\n', stderr: 'err\n' });
  await docker('rm', 'apart');
  await docker('run', '-d', '--name', 'apart', 'busybox', 'sleep', '1000');
  const exec = await engine.run('docker', ['exec', 'apart', 'sh', '-c', script]);
  assert.deepEqual(exec, { code: 3, stdout: 'out\n', stderr: 'err\n' });
  await docker('rm', '-f', 'apart');
});

test('a command that is missing or cannot run: 127, 126, and nothing left behind', async () => {
  await docker('run', '-d', '--name', 'wrong', 'busybox', 'sleep', '1000');
  for (const [command, code, words] of [
    ['nope', 127, /executable file not found/],
    ['/etc', 126, /permission denied/],
  ] as const) {
    const run = await engine.run('docker', ['run', '--rm', 'busybox', command]);
    assert.equal(run.code, code, run.stderr);
    assert.match(run.stderr, words);
    const exec = await engine.run('docker', ['exec', 'wrong', command]);
    assert.equal(exec.code, code);
    assert.match(exec.stdout + exec.stderr, words);
  }
  await docker('rm', '-f', 'wrong');
  assert.equal(await docker('ps', '-aq', '--filter', 'status=created'), '');
});

test('logs -f follows to the end; attach sees the same', async () => {
  const script = 'for i in 1 2 3 4 5; do echo tick $i; sleep 0.1; done';
  await docker('run', '-d', '--name', 'ticks', 'busybox', 'sh', '-c', script);
  assert.equal(await docker('logs', '-f', 'ticks'), 'tick 1\ntick 2\ntick 3\ntick 4\ntick 5');
  const [line] = (await docker('logs', '-t', '--tail', '1', 'ticks')).split('\n');
  assert.match(line ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z tick 5$/);
  await docker('rm', 'ticks');
});

test('stats, events, top, df and info have something to say', async () => {
  await docker('run', '-d', '--name', 'busy', '-m', '64m', 'busybox', 'sleep', '1000');
  assert.match(await docker('stats', '--no-stream', 'busy'), /busy +\d+\.\d+% +[\d.]+[KM]iB \/ 64MiB/);
  assert.match(await docker('top', 'busy'), /sleep 1000/);
  const events = engine.background('docker', [
    'events',
    '--filter',
    'container=busy',
    '--format',
    '{{.Action}}',
  ]);
  let seen = '';
  events.stdout?.on('data', (data: Buffer) => (seen += data.toString()));
  const listening = async (): Promise<true | undefined> =>
    (await docker('info', '-f', '{{.NEventsListener}}')) === '1' || undefined;
  await eventually('a listener of events', listening);
  await docker('kill', 'busy');
  await eventually('the events of the kill', async () => (seen.includes('die') ? true : undefined));
  assert.match(seen, /^kill\ndie\n/);
  events.kill();
  await once(events, 'exit');
  assert.match(await docker('system', 'df'), /Containers +1 +0 /);
  await docker('rm', 'busy');
  assert.match(await docker('system', 'prune', '-f'), /Total reclaimed space/);
});

test('cp goes both ways', async () => {
  const file = join(engine.folder, 'file.txt');
  writeFileSync(file, 'some text\n');
  await docker('create', '--name', 'copy', 'busybox', 'cat', '/root/file.txt');
  await docker('cp', file, 'copy:/root/');
  assert.equal(await docker('start', '-a', 'copy'), 'some text');
  await docker('cp', 'copy:/root/file.txt', `${file}.back`);
  const missing = await engine.run('docker', ['cp', 'copy:/nope', file]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /Could not find the file \/nope in container copy/);
  await docker('rm', 'copy');
});

test('an older client speaks its own version', async () => {
  const env = { ...process.env, DOCKER_API_VERSION: '1.24' };
  const version = execFileSync(
    'docker',
    ['-H', `unix://${engine.socket}`, 'version', '-f', '{{.Client.APIVersion}}'],
    { env },
  );
  assert.equal(version.toString().trim(), '1.24');
  const output = execFileSync(
    'docker',
    ['-H', `unix://${engine.socket}`, 'run', '--rm', 'busybox', 'echo', 'old'],
    { env },
  );
  assert.equal(output.toString(), 'old\n');
});
