/** Attach and exec on the real kernel: several clients, detach keys, websockets, half-closed stdin, and everything that an exec may ask for. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { call } from '../crash/convergence.ts';
import { clients, eventually, startEngine, type Engine } from '../scenarios/engine.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(async () => await engine.close());

const ok = async (...args: string[]): Promise<string> => await engine.ok('docker', args);

/** A connection that left HTTP: what came behind the answer's head, as text. */
interface Raw {
  readonly socket: Socket;
  readonly head: string;
  text(): string;
  readonly ended: Promise<unknown>;
}

/** Sends a request that hijacks its connection and waits for the answer's head. */
async function hijack(path: string, body?: object, extra: readonly string[] = []): Promise<Raw> {
  const socket = connect({ path: engine.socket, allowHalfOpen: true });
  const json = body === undefined ? '' : JSON.stringify(body);
  const upgrade = extra.length > 0 ? extra : ['Connection: Upgrade', 'Upgrade: tcp'];
  const type = body === undefined ? [] : ['Content-Type: application/json', `Content-Length: ${json.length}`];
  const method = extra.length > 0 ? 'GET' : 'POST';
  const lines = [`${method} /v1.45${path} HTTP/1.1`, 'Host: d', ...upgrade, ...type];
  socket.write(`${lines.join('\r\n')}\r\n\r\n${json}`);
  let all = Buffer.alloc(0);
  socket.on('data', (data: Buffer) => (all = Buffer.concat([all, data])));
  socket.on('error', () => {});
  const ended = once(socket, 'end');
  const end = await eventually('the answer', async () => {
    const at = all.indexOf('\r\n\r\n');
    return at < 0 ? undefined : at + 4;
  });
  return {
    socket,
    head: all.subarray(0, end).toString(),
    text: () => all.subarray(end).toString('latin1'),
    ended,
  };
}

const says = async (raw: Raw, words: string): Promise<void> => {
  await eventually(`${words} in ${JSON.stringify(raw.text())}`, async () =>
    raw.text().includes(words) ? true : undefined,
  );
};

/** The payloads of Docker's frames, the streams kept apart. */
function frames(text: string): { stdout: string; stderr: string } {
  const result = { stdout: '', stderr: '' };
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at + 8 <= bytes.length;) {
    const length = bytes.readUInt32BE(at + 4);
    const stream = bytes[at] === 2 ? 'stderr' : 'stdout';
    result[stream] += bytes.subarray(at + 8, at + 8 + length).toString();
    at += 8 + length;
  }
  return result;
}

/** A masked text frame, as websocket clients send. */
function wsFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x82, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

test('several clients see the same, logs come first, and each leaves alone', async () => {
  const script = 'echo before; while read line; do echo "got $line"; echo "err $line" >&2; done; echo over';
  await ok('run', '-d', '-i', '--name', 'many', 'busybox', 'sh', '-c', script);
  await eventually('the first line', async () =>
    (await ok('logs', 'many')) === 'before' ? true : undefined,
  );
  const options = 'stream=1&stdin=1&stdout=1&stderr=1';
  const first = await hijack(`/containers/many/attach?${options}&logs=1`);
  const second = await hijack(`/containers/many/attach?${options}`);
  const quiet = await hijack('/containers/many/attach?stream=1&stderr=1');
  const socket = await hijack('/containers/many/attach/ws?stream=1&stdin=1&stdout=1', undefined, [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
  ]);
  assert.match(
    first.head,
    /^HTTP\/1\.1 101 UPGRADED\r\nContent-Type: application\/vnd\.docker\.multiplexed-stream/,
  );
  assert.match(socket.head, /^HTTP\/1\.1 101 /);
  first.socket.write('one\n');
  await says(second, 'got one');
  second.socket.write('two\n');
  await says(first, 'err two');
  socket.socket.write(wsFrame('three\n'));
  for (const raw of [first, second, socket]) await says(raw, 'got three');
  await says(quiet, 'err three');
  assert.equal(frames(first.text()).stdout.split('\n')[0], 'before');
  assert.equal(frames(second.text()).stdout.includes('before'), false, 'no logs were asked for');
  assert.equal(frames(quiet.text()).stdout, '');
  // One goes; the others stay.
  second.socket.destroy();
  first.socket.write('four\n');
  await says(socket, 'got four');
  // A container that keeps its stdin open outlives every client's end of input.
  first.socket.end();
  socket.socket.write(wsFrame('five\n'));
  await says(first, 'got five');
  assert.equal(await ok('inspect', '-f', '{{.State.Running}}', 'many'), 'true');
  await ok('kill', 'many');
  await first.ended;
  await ok('rm', 'many');
});

test('the end of a client’s stdin ends that of a container that was made for one client', async () => {
  const { status, body } = await call(engine.socket, 'POST', '/containers/create?name=once', {
    Image: 'busybox',
    Cmd: ['sh', '-c', 'cat; echo; echo over'],
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
  });
  assert.equal(status, 201, JSON.stringify(body));
  const raw = await hijack('/containers/once/attach?stream=1&stdin=1&stdout=1');
  assert.equal((await call(engine.socket, 'POST', '/containers/once/start')).status, 204);
  raw.socket.end('last words');
  await raw.ended;
  assert.equal(frames(raw.text()).stdout, 'last words\nover\n');
  await ok('wait', 'once');
  await ok('rm', 'once');
});

test('keys detach a terminal, also those of the client, and bad ones are refused', async () => {
  await ok('run', '-dit', '--name', 'keys', 'busybox', 'cat');
  const since = String(Date.now() / 1000);
  const usual = await hijack('/containers/keys/attach?stream=1&stdin=1&stdout=1');
  assert.match(usual.head, /vnd\.docker\.raw-stream/);
  usual.socket.write('a\u0010b');
  await says(usual, 'a');
  usual.socket.write('\u0010\u0011');
  await usual.ended;
  const own = await hijack('/containers/keys/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,x');
  own.socket.write('\u0010\u0011still here\r');
  await says(own, 'still here');
  own.socket.write('\u0001x');
  await own.ended;
  for (const keys of ['ctrl-!', 'a,bb', 'ctrl-', ','])
    assert.equal(
      (await call(engine.socket, 'POST', `/containers/keys/attach?stream=1&detachKeys=${keys}`)).status,
      400,
      keys,
    );
  const filter = ['--filter', 'container=keys', '--format', '{{.Action}}'];
  const told = await ok('events', '--since', since, '--until', String(Date.now() / 1000), ...filter);
  assert.deepEqual(told.split('\n'), ['attach', 'detach', 'attach', 'detach']);
  assert.equal(await ok('inspect', '-f', '{{.State.Running}}', 'keys'), 'true');
  await ok('pause', 'keys');
  const frozen = await call(engine.socket, 'POST', '/containers/keys/attach?stream=1');
  assert.equal(frozen.status, 409);
  assert.match(JSON.stringify(frozen.body), /container keys is paused, unpause the container before attach/);
  await ok('rm', '-f', 'keys');
});

interface ExecState {
  readonly ID: string;
  readonly Running: boolean;
  readonly ExitCode: number | null;
  readonly ContainerID: string;
  readonly Pid: number;
}

async function exec(name: string, input: object): Promise<string> {
  const { status, body } = await call(engine.socket, 'POST', `/containers/${name}/exec`, input);
  assert.equal(status, 201, JSON.stringify(body));
  return (body as { Id: string }).Id;
}

const inspectExec = async (id: string): Promise<ExecState> =>
  (await call(engine.socket, 'GET', `/exec/${id}/json`)).body as ExecState;

for (const client of clients) {
  const by = async (...args: string[]): Promise<string> => await engine.ok(client, args);

  describe(`exec by ${client}`, () => {
    test('environment, user, directory, privileges, exit code, detached', async () => {
      await by('run', '-d', '--name', 'xx', '-e', 'A=1', '-w', '/tmp', 'busybox', 'sleep', '1000');
      const show = 'echo $A $B $(id -u):$(id -g) $PWD; grep CapEff /proc/self/status';
      const plain = await by('exec', 'xx', 'sh', '-c', show);
      assert.match(plain, /^1 0:0 \/tmp\nCapEff:\t00000000a80425fb$/);
      const more = ['-e', 'A=2', '-e', 'B=3', '-u', '33:4', '-w', '/var'];
      assert.match(await by('exec', ...more, 'xx', 'sh', '-c', show), /^2 3 33:4 \/var\n/);
      // All that the host itself has to give.
      const own = /^CapEff:\t\w+$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[0] ?? '';
      assert.ok((await by('exec', '--privileged', 'xx', 'sh', '-c', show)).endsWith(own), own);
      assert.match(await by('exec', '-u', 'www-data', 'xx', 'id'), /^uid=33/);
      assert.equal((await engine.run(client, ['exec', 'xx', 'sh', '-c', 'exit 7'])).code, 7);
      assert.equal((await engine.run(client, ['exec', 'xx', 'sh', '-c', 'kill -9 $$'])).code, 137);
      assert.equal(await by('exec', '-d', 'xx', 'touch', '/tmp/done'), '');
      await eventually('what runs detached', async () =>
        (await engine.run(client, ['exec', 'xx', 'test', '-e', '/tmp/done'])).code === 0 ? true : undefined,
      );
      await by('rm', '-f', 'xx');
    });

    test('what cannot run says why, with Docker’s exit codes', async () => {
      await by('run', '-d', '--name', 'yy', 'busybox', 'sleep', '1000');
      const cases: readonly (readonly [args: readonly string[], code: number, words: RegExp])[] = [
        [['yy', '/no/such'], 127, /stat \/no\/such: no such file or directory/],
        [['yy', 'nosuch'], 127, /exec: "nosuch": executable file not found in \$PATH/],
        [['yy', '/etc/passwd'], 126, /exec: "\/etc\/passwd": permission denied/],
        [['-u', 'ghost', 'yy', 'true'], 126, /unable to find user ghost: no matching entries in passwd file/],
        [
          ['-u', '0:ghosts', 'yy', 'true'],
          126,
          /unable to find group ghosts: no matching entries in group file/,
        ],
        [['-u', '99999999999', 'yy', 'true'], 126, /uids and gids must be in range 0-2147483647/],
        [
          ['-w', '/no/dir', 'yy', 'true'],
          126,
          /chdir to cwd \("\/no\/dir"\) set in config\.json failed: no such file/,
        ],
        [['-w', '/etc/passwd', 'yy', 'true'], 126, /chdir to cwd \("\/etc\/passwd"\) .*: not a directory/],
        [['-w', 'here', 'yy', 'true'], 126, /Cwd must be an absolute path/],
      ];
      for (const [args, code, words] of cases) {
        const outcome = await engine.run(client, ['exec', ...args]);
        assert.match(outcome.stdout + outcome.stderr, words, args.join(' '));
        assert.equal(outcome.code, code, `${args.join(' ')}: ${outcome.stderr}`);
      }
      await by('pause', 'yy');
      const frozen = await engine.run(client, ['exec', 'yy', 'true']);
      assert.match(frozen.stderr, /is paused, unpause the container before exec/);
      await by('unpause', 'yy');
      await by('stop', '-t', '0', 'yy');
      const stopped = await engine.run(client, ['exec', 'yy', 'true']);
      assert.equal(stopped.code, 1);
      assert.match(stopped.stderr, /is not running/);
      await by('rm', 'yy');
    });
  });
}

test('an exec is known while it runs and after its end; its terminal has the size that was asked for', async () => {
  // runc sets the size before the command runs; crun 1.8 does it a moment later.
  await ok('run', '-d', '--name', 'zz', '--runtime', 'runc', 'busybox', 'sleep', '1000');
  const id = await exec('zz', {
    Cmd: ['sh', '-c', 'stty size; read x; stty size; exit 5'],
    Tty: true,
    AttachStdin: true,
    AttachStdout: true,
  });
  assert.deepEqual([(await inspectExec(id)).Running, (await inspectExec(id)).ExitCode], [false, null]);
  const raw = await hijack(`/exec/${id}/start`, { Tty: true, ConsoleSize: [41, 123] });
  await says(raw, '41 123');
  const running = await inspectExec(id);
  assert.ok(running.Running && running.Pid > 1);
  assert.deepEqual(JSON.parse(await ok('inspect', '-f', '{{json .ExecIDs}}', 'zz')), [id]);
  assert.equal((await call(engine.socket, 'POST', `/exec/${id}/resize?h=50&w=99`)).status, 200);
  assert.equal((await call(engine.socket, 'POST', `/exec/${id}/start`, { Detach: true })).status, 409);
  raw.socket.write('\r');
  await raw.ended;
  assert.match(raw.text(), /50 99/);
  const ended = await inspectExec(id);
  assert.deepEqual([ended.Running, ended.ExitCode], [false, 5]);
  assert.equal(await ok('inspect', '-f', '{{json .ExecIDs}}', 'zz'), 'null');
  assert.equal((await call(engine.socket, 'POST', `/exec/${id}/start`, { Detach: true })).status, 409);
  assert.equal((await call(engine.socket, 'GET', '/exec/nope/json')).status, 404);
  const nameless = await call(engine.socket, 'POST', '/containers/zz/exec', { Cmd: ['true'], Env: ['=x'] });
  assert.equal(nameless.status, 400);
  await ok('rm', '-f', 'zz');
  assert.equal((await call(engine.socket, 'GET', `/exec/${id}/json`)).status, 404);
});

test('signals by every kind of name; a stop escalates; wait has three conditions', async () => {
  const script =
    'for s in USR1 USR2 RTMIN+3 WINCH; do trap "echo $s" $s 2>/dev/null; done; trap "echo thirty-seven" 37; echo up; while :; do sleep 0.02; done';
  await ok('run', '-d', '--name', 'sig', 'busybox', 'sh', '-c', script);
  const hears = async (signal: string, words: string): Promise<void> => {
    const before = (await ok('logs', 'sig')).split('\n').length;
    await ok('kill', '-s', signal, 'sig');
    const last = await eventually(`${signal} arrives`, async () => {
      const lines = (await ok('logs', 'sig')).split('\n');
      return lines.length > before ? lines.at(-1) : undefined;
    });
    assert.equal(last, words, signal);
  };
  await eventually('the traps', async () => ((await ok('logs', 'sig')).includes('up') ? true : undefined));
  await hears('USR1', 'USR1');
  await hears('sigusr2', 'USR2');
  await hears('28', 'WINCH');
  await hears('RTMIN+3', 'thirty-seven');
  await hears('37', 'thirty-seven');
  for (const [signal, words] of [
    ['0', /invalid signal: 0/],
    ['65', /the linux daemon does not support signal 65/],
    ['NOPE', /invalid signal: NOPE/],
    ['RTMIN+31', /invalid signal: RTMIN\+31/],
  ] as const) {
    const { status, body } = await call(
      engine.socket,
      'POST',
      `/containers/sig/kill?signal=${encodeURIComponent(signal)}`,
    );
    assert.equal(status, 400, signal);
    assert.match(JSON.stringify(body), words);
  }
  const waits = ['not-running', 'next-exit', 'removed'].map(
    async (condition) =>
      (await call(engine.socket, 'POST', `/containers/sig/wait?condition=${condition}`)).body as {
        StatusCode: number;
      },
  );
  // Its shell ignores SIGTERM as the first process of its namespace: one second, then SIGKILL.
  await ok('stop', '-t', '1', 'sig');
  assert.equal((await waits[0])?.StatusCode, 137);
  assert.equal((await waits[1])?.StatusCode, 137);
  assert.equal(await Promise.race([waits[2], Promise.resolve('still waiting')]), 'still waiting');
  const again = await call(engine.socket, 'POST', '/containers/sig/wait');
  assert.deepEqual(again.body, { StatusCode: 137 });
  await ok('rm', 'sig');
  assert.equal((await waits[2])?.StatusCode, 137);
});

test('who waits for a container with --rm a moment too late still hears its exit code', async () => {
  const { body } = await call(engine.socket, 'POST', '/containers/create', {
    Image: 'busybox',
    Cmd: ['sh', '-c', 'exit 3'],
    HostConfig: { AutoRemove: true },
  });
  const { Id: id } = body as { Id: string };
  assert.equal((await call(engine.socket, 'POST', `/containers/${id}/start`)).status, 204);
  await eventually('its removal', async () =>
    (await call(engine.socket, 'GET', `/containers/${id}/json`)).status === 404 ? true : undefined,
  );
  for (const condition of ['not-running', 'next-exit', 'removed'])
    assert.deepEqual(
      (await call(engine.socket, 'POST', `/containers/${id}/wait?condition=${condition}`)).body,
      { StatusCode: 3 },
    );
  assert.equal((await call(engine.socket, 'POST', `/containers/${'0'.repeat(64)}/wait`)).status, 404);
});
