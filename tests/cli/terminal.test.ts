/** The CLI as a process on a real pseudo terminal, which script(1) gives it. */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type FakeEngine, startFakeEngine } from './fake-engine.ts';

const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname;

let engine: FakeEngine;
before(async () => {
  engine = await startFakeEngine();
});
after(() => engine.close());

interface Terminal {
  readonly child: ChildProcessWithoutNullStreams;
  /** Resolves once the screen shows this text. */
  shows(text: string): Promise<void>;
  readonly exit: Promise<number | null>;
  screen(): string;
}

function onTerminal(command: string, config = '/dev/null/none'): Terminal {
  const line = `stty rows 30 cols 100; '${process.execPath}' '${MAIN}' ${command}; echo "code $?"; stty -a | grep -o ' -\\?icanon'`;
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    env: { ...process.env, SLIPWAY_HOST: engine.host, DOCKER_CONFIG: config },
  });
  let text = '';
  let look = (): void => undefined;
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
    look();
  });
  return {
    child,
    screen: () => text,
    exit: new Promise((resolve) => child.on('close', resolve)),
    shows: (wanted) =>
      new Promise((resolve) => {
        look = () => {
          if (text.includes(wanted)) resolve();
        };
        look();
      }),
  };
}

test(
  'exec -it: raw keys, the terminal’s size, the exit code, the terminal as before',
  { timeout: 20_000 },
  async () => {
    engine.take();
    const terminal = onTerminal('exec -it web sh');
    await terminal.shows('ready');
    terminal.child.stdin.write('a\u0003');
    await terminal.shows('<6103>');
    terminal.child.stdin.write('\u0004');
    await terminal.exit;
    assert.match(terminal.screen(), /code 3\r\n icanon/);
    const requests = engine.take();
    assert.ok(requests.some(({ url }) => url === '/exec/tty1/resize?h=30&w=100'));
    const create = requests.find(({ url }) => url === '/containers/web/exec');
    assert.deepEqual(JSON.parse(create?.body ?? '{}').ConsoleSize, [30, 100]);
  },
);

test(
  'the detach keys leave without ending, and a broken sequence passes through',
  { timeout: 20_000 },
  async () => {
    const terminal = onTerminal('exec -it web sh');
    await terminal.shows('ready');
    terminal.child.stdin.write('\u0010x');
    await terminal.shows('<1078>');
    terminal.child.stdin.write('\u0010\u0011');
    await terminal.exit;
    assert.match(terminal.screen(), /code 0\r\n icanon/);
  },
);

test('keys of the user’s choice detach too', { timeout: 20_000 }, async () => {
  const terminal = onTerminal('exec --detach-keys ctrl-a,d -it web sh');
  await terminal.shows('ready');
  terminal.child.stdin.write('\u0001d');
  await terminal.exit;
  assert.match(terminal.screen(), /code 0/);
});

test('a pull draws bars that fit', { timeout: 20_000 }, async () => {
  const terminal = onTerminal('pull busybox');
  await terminal.exit;
  assert.ok(terminal.screen().includes('\u001b[1A\u001b[2K\r9ad63333ebc9: Pull complete'));
});

test(
  'login asks for name and password, hides the password and takes Backspace',
  { timeout: 20_000 },
  async () => {
    const config = fs.mkdtempSync(path.join(os.tmpdir(), 'slip-login-'));
    engine.take();
    const terminal = onTerminal('login localhost:5000', config);
    await terminal.shows('Username: ');
    terminal.child.stdin.write('ann\r');
    await terminal.shows('Password: ');
    terminal.child.stdin.write('sex\u007fcret\r');
    await terminal.exit;
    assert.match(terminal.screen(), /Login Succeeded\r\ncode 0/);
    assert.ok(!terminal.screen().includes('cret'));
    const sent = engine.take().find(({ url }) => url === '/auth');
    assert.deepEqual(JSON.parse(sent?.body ?? ''), {
      username: 'ann',
      password: 'secret',
      serveraddress: 'localhost:5000',
    });
    assert.match(
      fs.readFileSync(path.join(config, 'config.json'), 'utf8'),
      new RegExp(Buffer.from('ann:secret').toString('base64')),
    );
    fs.rmSync(config, { recursive: true });
  },
);

test('a prune asks first', { timeout: 20_000 }, async () => {
  const terminal = onTerminal('volume prune');
  await terminal.shows('[y/N] ');
  terminal.child.stdin.write('y\r');
  await terminal.exit;
  assert.match(terminal.screen(), /Deleted Volumes:\r\na1b2[\s\S]*code 0/);
});
