/**
 * `make run`, after the build: the daemon, a first image, a web server container with a published port, its page.
 * Everything may be there already: then it is used as it is.
 */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startDaemon } from './engine/daemon.ts';
import { daemonLog, readSettings } from './engine/settings.ts';
import { makeBusyboxImage } from './images/busybox.ts';

const execute = promisify(execFile);
const settings = readSettings();
const web = 'slipway-web';
const address = `unix://${settings.socket}`;
const binary = join(settings.repository, 'dist/bin/slipway');

const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function slipway(...args: string[]): Promise<string> {
  const { stdout } = await execute(binary, ['-H', address, ...args]);
  return stdout.trim();
}

async function shown(...args: string[]): Promise<string> {
  say(`  $ slipway ${args.join(' ')}`);
  return await slipway(...args);
}

async function ensureImage(): Promise<void> {
  if ((await slipway('images', '-q', 'busybox:latest')) !== '') return;
  const archive = join(settings.repository, '.cache/images/busybox.tar');
  if (!existsSync(archive)) await makeBusyboxImage(archive);
  await shown('load', '-i', archive);
}

async function ensureContainer(): Promise<void> {
  const state = await slipway('ps', '-a', '--filter', `name=^${web}$`, '--format', '{{.State}}');
  if (state === 'running') return;
  if (state !== '') {
    await shown('start', web);
    return;
  }
  const publish = `${settings.port}:80`;
  await shown(
    'run',
    '-d',
    '--name',
    web,
    '-p',
    publish,
    'busybox',
    'httpd',
    '-f',
    '-v',
    '-p',
    '80',
    '-h',
    '/www',
  );
}

/** The server needs a moment between its start and its first answer. */
async function fetchPage(url: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(5000) });
      if (answer.ok) return await answer.text();
      throw new Error(`status ${answer.status}`);
    } catch (error) {
      if (tries >= 50) throw new Error(`${url} gives no page`, { cause: error });
      await delay(100);
    }
  }
}

function sayNext(port: string): void {
  const client =
    settings.socket === '/run/slipway.sock' ? 'dist/bin/slipway' : `dist/bin/slipway -H ${address}`;
  say(`
Try next:
  ${client} ps
  ${client} logs -f ${web}
  ${client} exec -it ${web} sh
  ${client} run --rm -it busybox sh
  curl http://127.0.0.1:${port}/
  DOCKER_HOST=${address} docker ps        the docker command works with it too
  make stop                               ends the daemon; the page is still served
  make clean                              removes everything the engine made on this host`);
}

async function main(): Promise<void> {
  const started = await startDaemon(settings);
  say(`slipwayd ${started ? 'is started' : 'is running'} on ${address} (log: ${daemonLog(settings)})`);
  await ensureImage();
  say('image busybox:latest is there');
  await ensureContainer();
  const port =
    (await slipway('port', web, '80/tcp')).split('\n')[0]?.split(':').at(-1) ?? String(settings.port);
  say(`container ${web} runs busybox httpd, host port ${port} is its port 80`);
  const page = await fetchPage(`http://127.0.0.1:${port}/`);
  const heading = /<h1>(.*?)<\/h1>/.exec(page)?.[1] ?? page.slice(0, 60);
  say(`http://127.0.0.1:${port}/ says: ${heading}`);
  sayNext(port);
}

if (process.getuid?.() !== 0) {
  process.stderr.write(
    'make run needs root: the engine mounts, makes namespaces and writes firewall rules\n',
  );
  process.exit(1);
}
try {
  await main();
} catch (error) {
  const told = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  process.stderr.write(`make run: ${error instanceof Error ? error.message : String(error)}\n${told}\n`);
  process.exitCode = 1;
}
