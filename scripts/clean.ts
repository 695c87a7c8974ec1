/**
 * `make clean`: takes away everything that the engine made on this host. It asks the daemon first, if one answers,
 * then removes by name what is left: processes, mounts, links, firewall tables, cgroups, files.
 */

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { join, resolve } from 'node:path';
import { backgroundCtx } from '../src/core/ctx.ts';
import { SlipwayError } from '../src/core/errors.ts';
import { createLogger } from '../src/core/log.ts';
import { lockDataRoot } from '../src/daemon/lock.ts';
import { createHost, undoCgroupSetup } from '../src/host/index.ts';
import { daemonPid, pings, stopDaemon } from './engine/daemon.ts';
import { endByPidFiles, removeCgroups, removeFirewall, removeLinks, unmountAll } from './engine/leftovers.ts';
import { readSettings, type Settings } from './engine/settings.ts';

const say = (text: string): void => void process.stdout.write(`clean: ${text}\n`);

async function call(socket: string, method: string, path: string): Promise<string> {
  return await new Promise((done, fail) => {
    const sent = request({ socketPath: socket, method, path }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => (body += text));
      answer.on('end', () => done(body));
    });
    sent.on('error', fail);
    sent.end();
  });
}

/** A container is removed by who knows it best, as long as that one lives. */
async function removeContainers(settings: Settings): Promise<void> {
  if (!(await pings(settings.socket))) return;
  const listed = await call(settings.socket, 'GET', '/containers/json?all=1');
  const containers = JSON.parse(listed) as { Id: string }[];
  for (const { Id } of containers) await call(settings.socket, 'DELETE', `/containers/${Id}?force=1&v=1`);
  if (containers.length > 0) say(`${containers.length} containers`);
}

/** Only a folder that the engine made is deleted: a mistyped DATA_ROOT must not cost somebody's home. */
function looksOurs(folder: string): boolean {
  const names = readdirSync(folder);
  const known = [
    'state.db',
    'slipwayd.pid',
    'slipwayd.log',
    'containers',
    'overlay2',
    'content',
    'net-state.json',
  ];
  return names.length === 0 || names.some((name) => known.includes(name));
}

function removeFolder(folder: string): void {
  const path = resolve(folder);
  if (!existsSync(path)) return;
  if (path.split('/').length < 3 || !looksOurs(path)) {
    process.stderr.write(`clean: ${path} does not look like the engine's: left alone\n`);
    process.exitCode = 1;
    return;
  }
  rmSync(path, { recursive: true, force: true });
  say(path);
}

/** Mounts of controllers and mount options that the daemon added, as it wrote them down. */
async function undoCgroupMounts(settings: Settings): Promise<void> {
  const record = join(settings.runRoot, 'cgroup-setup.json');
  if (!existsSync(record)) return;
  const host = createHost();
  await undoCgroupSetup(
    host,
    backgroundCtx(createLogger('warn', (line) => process.stderr.write(line))),
    record,
  );
  await host.close();
  say('changes of cgroup mounts');
}

/** A daemon that `make run` has not started is not ours to end, and would put back what is taken away under it. */
async function isFree(settings: Settings): Promise<boolean> {
  if (!existsSync(settings.dataRoot)) return true;
  try {
    // Held until this process ends: none may start meanwhile either.
    await lockDataRoot(settings.dataRoot);
    return true;
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    process.stderr.write(
      `clean: a slipwayd that make run did not start works on ${settings.dataRoot}: end it first, nothing is removed\n`,
    );
    process.exitCode = 1;
    return false;
  }
}

async function clean(settings: Settings): Promise<void> {
  const folders = [resolve(settings.dataRoot), resolve(settings.runRoot)];
  const isOurs = daemonPid(settings) !== undefined;
  if (!isOurs && !(await isFree(settings))) return;
  await removeContainers(settings);
  if (await stopDaemon(settings)) say('the daemon');
  if (isOurs && !(await isFree(settings))) return;
  const counts: readonly (readonly [string, number])[] = [
    ['processes of pid files', await endByPidFiles(settings.runRoot)],
    ['processes in cgroups', await removeCgroups(settings.instance)],
    ['mounts', unmountAll(folders)],
    ['links', removeLinks(settings.instance)],
    ['firewall tables and rules', removeFirewall(settings.instance)],
  ];
  for (const [what, count] of counts) if (count > 0) say(`${count} ${what}`);
  await undoCgroupMounts(settings);
  rmSync(settings.socket, { force: true });
  for (const folder of folders) removeFolder(folder);
}

if (process.getuid?.() === 0) {
  await clean(readSettings());
} else if (existsSync(readSettings().dataRoot)) {
  process.stderr.write('clean: the engine ran as root; run make clean as root too\n');
  process.exitCode = 1;
}
