// timeout: 300
/** The built CLI beside the docker CLI on a real engine: same output, same exit codes; then what needs a terminal. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type Engine, startEngine } from '../scenarios/engine.ts';
import { parseLine, renamed } from './harness.ts';

const CLI = path.join(import.meta.dirname, '../../dist/bin/slipway');

let engine: Engine;
before(async () => {
  engine = await startEngine();
  await engine.ok('slipway', ['run', '-d', '--name', 'web', 'busybox', 'sleep', '1000']);
});
after(() => engine.close());

/** Leave nothing behind that the other client would see. */
const SAME: readonly string[] = [
  'run --rm busybox echo hi',
  'run --rm -i busybox cat <<< some input',
  'run --rm busybox sh -c "echo out; echo err >&2; exit 42"',
  'run --rm busybox nosuch',
  'run --rm busybox /etc',
  'run --name web busybox',
  'run --rm -e A=b -w /tmp --hostname hh -u 1:2 busybox sh -c "echo $A; pwd; hostname; id -u; id -g"',
  'run --rm --read-only busybox touch /x',
  'run --rm --network none busybox cat /proc/net/dev',
  'exec web echo in',
  'exec -i web cat <<< abc',
  'exec web sh -c "exit 9"',
  'exec web nosuch',
  'exec -e X=1 -w /tmp web sh -c "echo $X; pwd"',
  'exec nope ls',
  'ps --format "{{.Names}} {{.Image}} {{.State}}"',
  'ps -a --no-trunc --format "{{.ID}} {{.Command}}"',
  'images --format "{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}}"',
  'images -q --no-trunc',
  'inspect web',
  'inspect -f "{{.State.Status}} {{.Config.Cmd}} {{json .HostConfig.PortBindings}}" web',
  'image inspect busybox',
  'network ls',
  'network inspect bridge',
  'network inspect nope',
  'volume ls',
  'top web -o pid,comm',
  'port web',
  'logs web',
  'logs nope',
  'diff web',
  'history busybox',
  'stop nope',
  'rm web',
  'rm nope',
  'rmi nope',
  'rmi busybox',
  'start nope',
  'rename web web',
  'cp web:/nofile /tmp',
  'tag nope x',
  'pull nosuch.invalid/x',
  'run missing.invalid/x',
];

/** Where docker's words and its picture of answers are those of 28, which ours has too. */
const SINCE_28: readonly string[] = [
  'run --rm busybox nosuch',
  'run --rm busybox /etc',
  'run --name web busybox',
  'inspect web',
  'image inspect busybox',
  'network inspect bridge',
  'run missing.invalid/x',
];
const dockerVersion = Number(
  /version (\d+)/.exec(execFileSync('docker', ['--version'], { encoding: 'utf8' }))?.[1],
);

for (const line of SAME) {
  const isOlder = dockerVersion < 28 && SINCE_28.includes(line);
  const skip = isOlder ? `this docker command is ${dockerVersion} and has other words` : false;
  test(`both clients: ${line}`, { skip }, async () => {
    const { args, input } = parseLine(line);
    const theirs = await engine.run('docker', args, input);
    const ours = await engine.run('slipway', args, input);
    const ids = (text: string): string => text.replaceAll(/[0-9a-f]{64}/g, '<id>');
    assert.deepEqual(
      { ...ours, stdout: ids(ours.stdout), stderr: ids(ours.stderr) },
      { code: theirs.code, stdout: ids(renamed(theirs.stdout)), stderr: ids(renamed(theirs.stderr)) },
    );
  });
}

test('files go in and come out as they were', async () => {
  const folder = path.join(engine.folder, 'copy');
  fs.mkdirSync(path.join(folder, 'in/sub'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'in/sub/run.sh'), 'echo hi\n', { mode: 0o755 });
  fs.symlinkSync('run.sh', path.join(folder, 'in/sub/link'));
  await engine.ok('slipway', ['cp', path.join(folder, 'in'), 'web:/tmp/copied']);
  assert.equal(await engine.ok('slipway', ['exec', 'web', 'sh', '/tmp/copied/sub/link']), 'hi');
  await engine.ok('slipway', ['cp', 'web:/tmp/copied/.', path.join(folder, 'out')]);
  assert.equal(fs.statSync(path.join(folder, 'out/sub/run.sh')).mode & 0o777, 0o755);
  assert.equal(fs.readlinkSync(path.join(folder, 'out/sub/link')), 'run.sh');
});

test('a copy says as much as docker does, when it works and when it does not', async () => {
  const cases: readonly (readonly string[])[] = [
    ['cp', '/etc/hostname', 'web:/tmp/one'],
    ['cp', '-q', '/etc/hostname', 'web:/tmp/one'],
    ['cp', '--quiet=false', '/etc/hostname', 'web:/tmp/one'],
    ['cp', '/etc/hostname', 'web:/etc/passwd/'],
    ['cp', '/etc/hostname', 'web:/nosuch/a'],
    ['cp', '/etc/hostname', 'nosuch:/a'],
  ];
  for (const args of cases) {
    const [ours, theirs] = [await engine.run('slipway', args), await engine.run('docker', args)];
    // docker tells of the pipe that it broke off itself, too, now and then.
    const words = theirs.stderr.replaceAll(/^time=.*\n/gm, '');
    assert.deepEqual(
      [ours.code, ours.stdout, ours.stderr],
      [theirs.code, theirs.stdout, words],
      args.join(' '),
    );
  }
});

test('--rm leaves no container when the start fails, and the id file is written', async () => {
  const file = path.join(engine.folder, 'cid');
  const failed = await engine.run('slipway', [
    'run',
    '--rm',
    '--name',
    'again',
    '--cidfile',
    file,
    'busybox',
    'nosuch',
  ]);
  assert.equal(failed.code, 127);
  assert.match(fs.readFileSync(file, 'utf8'), /^[0-9a-f]{64}$/);
  assert.equal(
    await engine.ok('slipway', ['run', '--rm', '--name', 'again', 'busybox', 'echo', 'free']),
    'free',
  );
});

test('a signal to the client reaches the program inside', async () => {
  const script = 'trap "echo got it; exit 7" TERM; echo ready; while true; do sleep 0.05; done';
  const child = engine.background('slipway', ['run', '--rm', 'busybox', 'sh', '-c', script]);
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (text === 'ready\n') child.kill('SIGTERM');
  });
  const [code] = await once(child, 'close');
  assert.deepEqual([text, code], ['ready\ngot it\n', 7]);
});

/** The client on a terminal of 30 by 100; `keys` are typed one after another, each when its text is on the screen. */
async function onTerminal(
  command: string,
  keys: readonly (readonly [shown: string, typed: string])[],
): Promise<string> {
  const line = `stty rows 30 cols 100; '${CLI}' -H 'unix://${engine.socket}' ${command}; echo "code $?"`;
  const child = spawn('script', ['-qec', line, '/dev/null']);
  let text = '';
  let from = 0;
  const left = [...keys];
  const type = (): void => {
    for (let next = left[0]; next !== undefined && text.indexOf(next[0], from) >= 0; next = left[0]) {
      from = text.indexOf(next[0], from) + next[0].length;
      child.stdin.write(next[1]);
      left.shift();
    }
  };
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    type();
  });
  type();
  await once(child, 'close');
  return text;
}

test('run -it is a working terminal: size, Ctrl-C, exit code', { timeout: 30_000 }, async () => {
  const screen = await onTerminal('run --rm -it -e PS1=P: busybox sh', [
    ['P:', 'stty size; echo "do"ne\n'],
    // A child that answers is sure to run when Ctrl-C comes.
    ['done', `sh -c 'while read x; do echo "<$x>"; done'\ngo\n`],
    ['<go>', '\u0003'],
    ['P:', 'echo c$?\n'],
    ['c130', 'exit 5\n'],
  ]);
  assert.match(screen, /30 100/);
  assert.match(screen, /code 5/);
});

test('leaving by the keys keeps it running, attach comes back', { timeout: 30_000 }, async () => {
  const left = await onTerminal('run --name tty -it -e PS1=P: busybox sh', [
    ['P:', 'X=kept; echo "s"et\n'],
    ['set', '\u0010\u0011'],
  ]);
  assert.match(left, /code 0/);
  assert.equal(await engine.ok('slipway', ['inspect', '-f', '{{.State.Running}}', 'tty']), 'true');
  const back = await onTerminal('attach tty', [
    ['', 'echo is-$X\n'],
    ['is-kept', 'exit 3\n'],
  ]);
  assert.match(back, /code 3/);
  const again = await onTerminal('start -ai tty', [['P:', 'exit 4\n']]);
  assert.match(again, /code 4/);
  await engine.ok('slipway', ['rm', 'tty']);
});

test('exec -it is a terminal too', { timeout: 30_000 }, async () => {
  const screen = await onTerminal('exec -it -e PS1=P: web sh', [['P:', 'stty size; exit 6\n']]);
  assert.match(screen, /30 100[\s\S]*code 6/);
});
