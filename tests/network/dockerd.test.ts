/** Beside dockerd in one network namespace: both engines' ports and ways out, its restart, and what our clean leaves of its rules. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { HttpClient } from '../../bench/http.ts';
import { startDockerd, unpackDockerd } from '../peers/dockerd.ts';
import type { Peer } from '../peers/process.ts';
import { busyboxArchive, eventually } from '../scenarios/engine.ts';
import { isolated } from './isolated.ts';
import { ctx, inside, servePage, World, type Box } from './world.ts';

const api = '/v1.41';
const run = (command: string): string => execFileSync('sh', ['-c', command], { encoding: 'utf8' });
/** Without comments and counters. */
const itsRules = (): string => run("iptables-save | grep -v '^#' | sed 's/ \\[[0-9]*:[0-9]*\\]$//'");

const answers = (from: Pick<Box, 'namespace'>, url: string, text: RegExp): Promise<string> =>
  eventually(`${url} answers`, () => {
    try {
      const page = inside(from, 'curl', '-gsS', '-m', '2', url);
      return Promise.resolve(text.test(page) ? page : undefined);
    } catch {
      return Promise.resolve(undefined);
    }
  });

/** A dockerd in this namespace with a web server on port 9080. */
async function startWithWeb(folder: string, archive: string): Promise<{ peer: Peer; http: HttpClient }> {
  const peer = await startDockerd({ folder, name: `slip-beside-${process.pid}`, networkOf: process.pid });
  const http = new HttpClient(peer.socket);
  await http.request('POST', `${api}/images/load?quiet=1`, readFileSync(archive), 'application/x-tar');
  await runIt(http, 'web', ['httpd', '-f', '-p', '80', '-h', '/www'], {
    PortBindings: { '80/tcp': [{ HostPort: '9080' }] },
  });
  return { peer, http };
}

async function runIt(
  http: HttpClient,
  name: string,
  command: readonly string[],
  hostConfig = {},
): Promise<void> {
  const ExposedPorts = { '80/tcp': {} };
  const body = JSON.stringify({
    Image: 'busybox:latest',
    Cmd: command,
    ExposedPorts,
    HostConfig: hostConfig,
  });
  const created = await http.request('POST', `${api}/containers/create?name=${name}`, body);
  assert.equal(created.status, 201, created.body);
  const started = await http.request('POST', `${api}/containers/${name}/start`);
  assert.equal(started.status, 204, started.body);
}

/** Whether a container of dockerd's reaches the outside. */
async function reachesOut(http: HttpClient): Promise<void> {
  const ask = "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 5 192.0.2.1 80 | grep outside";
  await runIt(http, 'asker', ['sh', '-c', ask]);
  const waited = await http.request('POST', `${api}/containers/asker/wait`);
  assert.match(waited.body, /"StatusCode":\s*0\b/);
  await http.request('DELETE', `${api}/containers/asker`);
}

const archive = await busyboxArchive();
await unpackDockerd();
isolated(import.meta.filename, () => {
  test('dockerd and we share a host', async () => {
    const world = new World();
    const outside = await world.addOutside();
    const folder = join(world.runRoot, 'docker');
    let dockerd: Peer | undefined;
    // Then dockerd sets the policy of FORWARD.
    run('echo 0 > /proc/sys/net/ipv4/ip_forward');
    try {
      world.keep(await servePage(outside, 'outside '));
      const first = await startWithWeb(folder, archive);
      dockerd = first.peer;
      const rules = itsRules();
      assert.match(rules, /:FORWARD DROP/, 'its policy');
      await world.start();
      const web = await world.run('web', { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } });
      world.keep(await servePage(web, 'ours '));
      const both = async (http: HttpClient): Promise<void> => {
        await answers(outside, 'http://192.0.2.2:8080/', /^ours /);
        await answers(web, 'http://192.0.2.1/', /^outside /);
        await answers(outside, 'http://192.0.2.2:9080/', /It works/);
        await answers(web, 'http://192.0.2.2:9080/', /It works/);
        await reachesOut(http);
      };
      await both(first.http);
      first.http.close();

      // It comes back to the rules that it left, and writes them anew.
      await dockerd.stop();
      dockerd = undefined;
      await answers(outside, 'http://192.0.2.2:8080/', /^ours /);
      await answers(web, 'http://192.0.2.1/', /^outside /);
      const second = await startWithWeb(folder, archive);
      dockerd = second.peer;
      await both(second.http);

      await world.stop(web);
      await world.networks.removeAll(ctx);
      assert.doesNotMatch(run('nft list ruleset'), /sliptest/);
      assert.equal(itsRules(), rules);
      await answers(outside, 'http://192.0.2.2:9080/', /It works/);
      second.http.close();
    } finally {
      await dockerd?.stop();
      await world.end();
    }
  });
});
