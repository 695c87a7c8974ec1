// timeout: 300
/**
 * The daemon is killed while twenty containers run, log and serve: none dies, no connection drops, no log line is lost or
 * doubled, exits that happened meanwhile are known with their codes and times, names are answered, ports stay.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually, startEngine, type Engine } from './engine.ts';

const writers = Array.from({ length: 12 }, (_, n) => `writer${n}`);
const servers = Array.from({ length: 4 }, (_, n) => `server${n}`);
const quitters = [3, 0, 77, 143];

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(async () => await engine.close());

const ok = async (...args: string[]): Promise<string> => await engine.ok('docker', args);

async function lines(name: string): Promise<number[]> {
  const { stdout } = await engine.run('docker', ['logs', name]);
  return stdout
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('n '))
    .map((line) => Number(line.slice(2)));
}

/** A connection that says something every few milliseconds and must hear it again. */
async function echoing(
  port: number,
): Promise<{ socket: Socket; heard: () => number; broken: () => boolean }> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let heard = 0;
  let broken = false;
  socket.on('data', (data: Buffer) => (heard += data.length));
  socket.on('close', () => (broken = true));
  socket.on('error', () => (broken = true));
  const timer = setInterval(() => socket.write('x'), 5);
  socket.on('close', () => clearInterval(timer));
  return { socket, heard: () => heard, broken: () => broken };
}

test('kill -9 of the daemon while twenty containers run, log and serve', async () => {
  await ok('network', 'create', 'crew');
  // Rotated every 64 KiB, with room for all that it writes.
  const rotation = ['--log-opt', 'max-size=64k', '--log-opt', 'max-file=60'];
  const count =
    'i=0; while [ $i -lt 12000 ]; do echo "n $i"; i=$((i+1)); [ $((i % 60)) = 0 ] && sleep 0.02; done; sleep 1000';
  for (const name of writers)
    await ok('run', '-d', '--name', name, ...rotation, 'busybox', 'sh', '-c', count);
  for (const name of servers) {
    await ok(
      'run',
      '-d',
      '--name',
      name,
      '--network',
      'crew',
      '-p',
      '127.0.0.1::7',
      'busybox',
      'nc',
      '-ll',
      '-p',
      '7',
      '-e',
      'cat',
    );
  }
  await ok(
    'run',
    '-d',
    '--name',
    'asker',
    '--network',
    'crew',
    'busybox',
    'sh',
    '-c',
    'while :; do for n in 0 1 2 3; do nslookup server$n >/dev/null 2>&1 && echo found || echo lost; done; done',
  );
  const ports = await Promise.all(
    servers.map(async (name) => Number((await ok('port', name, '7')).split(':').at(-1))),
  );
  const connections = await Promise.all(ports.map(echoing));
  const states = async (): Promise<string> =>
    await ok('inspect', '-f', '{{.Name}} {{.State.Pid}} {{.State.Status}}', ...writers, ...servers, 'asker');
  const before = await states();

  for (let round = 0; round < quitters.length; round++) {
    const code = quitters[round] ?? 0;
    await ok('run', '-d', '--name', `quits${round}`, 'busybox', 'sh', '-c', `sleep 0.6; exit ${code}`);
    const pid = await ok('inspect', '-f', '{{.State.Pid}}', `quits${round}`);
    await delay(Math.random() * 300);
    await engine.kill();
    const heard = connections.map((one) => one.heard());
    await eventually('echoes without a daemon', async () =>
      connections.every((one, n) => one.broken() || one.heard() > (heard[n] ?? 0) + 20) ? true : undefined,
    );
    // Nobody but its shim sees its end.
    await eventually('its end', async () => !existsSync(`/proc/${pid}`) || undefined);
    await delay(300);
    const down = Date.now();
    await engine.start();
    const [status, exit, finished = ''] = (
      await ok(
        'inspect',
        '-f',
        '{{.State.Status}} {{.State.ExitCode}} {{.State.FinishedAt}}',
        `quits${round}`,
      )
    ).split(' ');
    assert.deepEqual([status, exit], ['exited', String(code)]);
    assert.ok(Date.parse(finished) < down, `${finished} is when it ended, not when the daemon came back`);
    await ok('rm', `quits${round}`);
  }

  assert.deepEqual(
    connections.map((one) => one.broken()),
    servers.map(() => false),
  );
  for (const { socket } of connections) socket.destroy();
  assert.equal(await states(), before);
  for (const name of writers) {
    const seen = await eventually(
      `all lines of ${name}`,
      async () => {
        const numbers = await lines(name);
        return numbers.at(-1) === 11_999 ? numbers : undefined;
      },
      60_000,
    );
    assert.deepEqual(
      seen,
      Array.from({ length: 12_000 }, (_, n) => n),
      `${name}: each line once, in order`,
    );
  }
  const asked = (await ok('logs', 'asker')).split('\n');
  assert.ok(asked.length > 20);
  assert.deepEqual(
    asked.filter((line) => line !== 'found'),
    [],
  );
  for (const port of ports) {
    const again = await echoing(port);
    await eventually('an echo', async () => (again.heard() > 0 ? true : undefined));
    again.socket.destroy();
  }
  await ok('rm', '-f', ...writers, ...servers, 'asker');
  await ok('network', 'rm', 'crew');
  assert.deepEqual(readdirSync(join(engine.folder, 'run/bundles')), []);
  assert.deepEqual(readdirSync(join(engine.folder, 'run/files')), []);
  assert.deepEqual(readdirSync(join(engine.folder, 'data/containers')), []);
});
