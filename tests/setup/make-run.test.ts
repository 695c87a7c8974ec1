// timeout: 600
/** The first minutes of a stranger: make run twice, make stop, make run, make clean, on an instance of their own. */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const repository = join(import.meta.dirname, '../..');
const folder = mkdtempSync('/tmp/slip-make-');
const instance = `m${process.pid}`;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const port = await freePort();
const settings = [
  `DATA_ROOT=${folder}/data`,
  `RUN_ROOT=${folder}/run`,
  `SOCKET=${folder}/s.sock`,
  `INSTANCE=${instance}`,
  `PORT=${port}`,
];

async function make(target: string): Promise<string> {
  const { stdout } = await execute('make', ['--no-print-directory', target, ...settings], {
    cwd: repository,
  });
  return stdout;
}

const page = async (): Promise<string> => await (await fetch(`http://127.0.0.1:${port}/`)).text();

after(async () => {
  await execute(process.execPath, [join(repository, 'scripts/clean.ts')], {
    env: {
      ...process.env,
      DATA_ROOT: `${folder}/data`,
      RUN_ROOT: `${folder}/run`,
      SOCKET: `${folder}/s.sock`,
      INSTANCE: instance,
    },
  });
  rmSync(folder, { recursive: true, force: true });
});

test('make run ends with a page served by a container, and what to try next', async () => {
  const told = await make('run');
  assert.match(told, /slipwayd is started/);
  assert.match(told, new RegExp(`127\\.0\\.0\\.1:${port}/ says: It works`));
  assert.match(told, /Try next:/);
  assert.match(await page(), /It works/);
});

test('a second make run finds everything there', async () => {
  const told = await make('run');
  assert.match(told, /slipwayd is running/);
  assert.match(told, /says: It works/);
  assert.doesNotMatch(told, /\$ slipway (run|load)/);
});

test('make stop ends the daemon, the container serves on, make run takes it over', async () => {
  assert.match(await make('stop'), /containers go on/);
  assert.match(await make('stop'), /was not running/);
  assert.match(await page(), /It works/);
  assert.doesNotMatch(await make('run'), /\$ slipway (run|start)/);
});

test('make clean leaves nothing of the instance', async () => {
  // The build stays: other tests need it. `clean` of the Makefile is this script and the removal of dist/.
  await execute(process.execPath, [join(repository, 'scripts/clean.ts')], {
    env: { ...process.env, ...Object.fromEntries(settings.map((setting) => setting.split('='))) },
  });
  assert.equal(existsSync(`${folder}/data`), false);
  assert.equal(existsSync(`${folder}/run`), false);
  assert.equal(existsSync(`${folder}/s.sock`), false);
  assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').includes(folder), false);
  assert.deepEqual(globSync([`/sys/fs/cgroup/*/${instance}`, `/sys/fs/cgroup/${instance}`]), []);
  assert.equal(existsSync(`/sys/class/net/${instance}0`), false);
  const { stdout } = await execute('nft', ['list', 'tables']);
  assert.equal(stdout.includes(` ${instance}\n`), false);
  await assert.rejects(page());
  const left = globSync('/proc/[0-9]*/cmdline').filter((file) => {
    try {
      return readFileSync(file, 'latin1').includes(folder);
    } catch {
      return false;
    }
  });
  assert.deepEqual(left, []);
});

test('make clean takes nothing away under a daemon that somebody started by hand', async () => {
  const environment = {
    ...process.env,
    ...Object.fromEntries(settings.map((setting) => setting.split('='))),
  };
  const clean = async (): Promise<unknown> =>
    await execute(process.execPath, [join(repository, 'scripts/clean.ts')], { env: environment });
  const roots = [`--data-root=${folder}/data`, `--run-root=${folder}/run`, `--instance=${instance}`];
  const daemon = spawn(join(repository, 'dist/bin/slipwayd'), [...roots, `--host=unix://${folder}/s.sock`]);
  const ended = once(daemon, 'exit');
  try {
    // What it logs comes on standard error.
    for await (const text of daemon.stderr.setEncoding('utf8')) if (String(text).includes('is ready')) break;
    await assert.rejects(clean(), /a slipwayd that make run did not start works on .*: end it first/);
    assert.equal(existsSync(`${folder}/data/state.db`), true);
    assert.equal(existsSync(`/sys/class/net/${instance}0`), true);
  } finally {
    daemon.kill('SIGTERM');
    await ended;
  }
  await clean();
  assert.equal(existsSync(`${folder}/data`), false);
});
