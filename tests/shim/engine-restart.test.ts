// timeout: 400
/**
 * The whole engine killed again and again while containers flood their logs through rotations, start, end and are executed in: no line is
 * lost or doubled (counted by their numbers), no container dies, no exit code is forgotten.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually, startEngine, type Engine } from '../scenarios/engine.ts';

const floods = 6;
const quiet = 6;
const enders = 8;
/** Prints numbers until told to stop, then one last line. */
const flood = "trap 'echo last; exit 0' TERM; i=0; while :; do i=$((i+1)); echo $i; done";

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(() => engine.close());

/** A command whose daemon may be killed under it. */
async function attempt(args: readonly string[]): Promise<void> {
  await engine.run('docker', args);
}

test('logs, exits and containers come through a daemon that is killed at random points', async () => {
  const limits = ['--log-opt', 'max-size=2m', '--log-opt', 'max-file=100'];
  for (let n = 0; n < floods; n += 1) {
    await engine.ok('docker', ['run', '-d', '--name', `flood${n}`, ...limits, 'busybox', 'sh', '-c', flood]);
  }
  for (let n = 0; n < quiet; n += 1) {
    await engine.ok('docker', ['run', '-d', '--name', `quiet${n}`, 'busybox', 'sleep', '100000']);
  }
  const names = [
    ...Array.from({ length: floods }, (_, n) => `flood${n}`),
    ...Array.from({ length: quiet }, (_, n) => `quiet${n}`),
  ];
  const pids = async (): Promise<string> =>
    await engine.ok('docker', ['inspect', '-f', '{{.Name}} {{.State.Pid}}', ...names]);
  const pidsBefore = await pids();

  let ender = 0;
  for (let round = 0; round < 5; round += 1) {
    // Ends while the daemon is down, with a code that is its own.
    const code = 10 + ender;
    await engine.ok('docker', [
      'run',
      '-d',
      '--name',
      `ender${ender}`,
      'busybox',
      'sh',
      '-c',
      `sleep 1; exit ${code}`,
    ]);
    ender += 1;
    const busy = [
      attempt(['exec', 'quiet0', 'sh', '-c', 'seq 1 1000']),
      attempt(['run', '-d', '--name', `maybe${round}`, 'busybox', 'sleep', '100000']),
      attempt(['logs', '-f', '--tail', '1', 'flood0']),
      attempt(['stop', '-t', '0', `maybe${round - 1}`]),
    ];
    await delay(Math.random() * 300);
    await engine.kill();
    await delay(300 + Math.random() * 900);
    await engine.start();
    await Promise.all(busy);
  }
  assert.ok(ender <= enders);
  assert.equal(await pids(), pidsBefore, 'the containers run on');

  for (let n = 0; n < ender; n += 1) {
    await eventually('an ended container', async () => {
      const state = await engine.ok('docker', [
        'inspect',
        '-f',
        '{{.State.Status}} {{.State.ExitCode}}',
        `ender${n}`,
      ]);
      return state === `exited ${10 + n}` ? true : undefined;
    });
  }
  // Whatever became of starts that were cut short: each is running, or can be removed.
  for (let round = 0; round < 5; round += 1) {
    const state = await engine.run('docker', ['inspect', '-f', '{{.State.Status}}', `maybe${round}`]);
    if (state.code === 0) assert.match(state.stdout, /^(running|exited|created)\n$/);
  }
  await engine.ok('docker', ['stop', '-t', '20', ...names.slice(0, floods)]);
  for (const name of names.slice(0, floods)) {
    const { stdout } = await engine.run('docker', ['logs', name]);
    const lines = stdout.split('\n').slice(0, -1);
    assert.equal(lines.pop(), 'last');
    assert.ok(lines.length > 1000);
    const wrong = lines.findIndex((line, index) => line !== String(index + 1));
    assert.equal(wrong, -1, `${name}: line ${wrong + 1} is ${lines[wrong]}`);
  }
});
