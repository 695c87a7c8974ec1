// timeout: 900
/**
 * The main job on real input: a real nginx on Debian, pulled from a registry, published, fetched from the host and from another container by
 * name, its logs followed, the daemon killed and restarted under load without a failed request.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { nginxImage, nginxImageName, nginxPage } from '../helpers/images/nginx.ts';
import { startRegistry, type TestRegistry } from '../helpers/images/registry.ts';
import { clients, eventually, startEngine, type Engine } from './engine.ts';

let engine: Engine;
let registry: TestRegistry;
const folder = mkdtempSync('/tmp/slip-registry-');

before(async () => {
  registry = await startRegistry({ folder: join(folder, 'registry') });
  engine = await startEngine({ images: [await nginxImage()] });
  await engine.ok('docker', ['tag', nginxImageName, `${registry.host}/web/nginx:1`]);
  await engine.ok('docker', ['push', `${registry.host}/web/nginx:1`]);
});
after(async () => {
  await engine?.close();
  await registry?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function fetchPage(url: string, agent: Agent): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, timeout: 5000 }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => (body += text));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
      answer.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', reject);
  });
}

for (const client of clients) {
  describe(`by ${client}`, () => {
    test('pull, run, reach, follow, kill the daemon under load', async () => {
      const image = `${registry.host}/web/nginx:1`;
      const ok = async (...args: string[]): Promise<string> => await engine.ok(client, args);
      await engine.run(client, ['rmi', nginxImageName, image]);
      assert.match(await ok('pull', image), /Downloaded newer image/);
      await ok('network', 'create', 'front');
      await ok('run', '-d', '--name', 'web', '--network', 'front', '-p', '127.0.0.1::80', image);
      const port = (await ok('port', 'web', '80')).split(':').at(-1) ?? '';
      const url = `http://127.0.0.1:${port}/`;
      const fresh = new Agent({ keepAlive: false });
      const page = await eventually(
        'the first page',
        async () => await fetchPage(url, fresh).catch(() => undefined),
      );
      assert.deepEqual(page, { status: 200, body: nginxPage });

      const inside = await ok(
        'run',
        '--rm',
        '--network',
        'front',
        'busybox',
        'wget',
        '-q',
        '-O',
        '-',
        'http://web/',
      );
      assert.equal(`${inside}\n`, nginxPage);

      const follower = engine.background(client, ['logs', '-f', '--since', '0s', 'web']);
      let followed = '';
      follower.stdout?.on('data', (data: Buffer) => (followed += data.toString()));
      await ok(
        'run',
        '-d',
        '--name',
        'asker',
        '--network',
        'front',
        'busybox',
        'sh',
        '-c',
        'n=0; while [ $n -lt 2000 ]; do nslookup web >/dev/null 2>&1 || echo failed; n=$((n+1)); done; echo done',
      );

      // Kept-alive and new connections side by side, counted by their own numbers in the access log.
      const kept = new Agent({ keepAlive: true, maxSockets: 2 });
      let sent = 0;
      const loading = new AbortController();
      const failures: string[] = [];
      const load = async (agent: Agent): Promise<void> => {
        while (!loading.signal.aborted) {
          const number = sent++;
          const answer = await fetchPage(`${url}?n=${number}`, agent).catch((error: unknown) =>
            String(error),
          );
          if (typeof answer === 'string' || answer.status !== 200) failures.push(JSON.stringify(answer));
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      };
      const loads = [load(fresh), load(kept), load(kept)];
      const pid = await ok('inspect', '-f', '{{.State.Pid}}', 'web');
      for (let round = 0; round < 3; round++) {
        await eventually('some load', async () => (sent > 100 * (round + 1) ? true : undefined));
        await engine.kill();
        const before = sent;
        await eventually('load without a daemon', async () => (sent > before + 50 ? true : undefined));
        await engine.start();
      }
      loading.abort();
      await Promise.all(loads);
      follower.kill();
      assert.deepEqual(failures, []);
      assert.equal(await ok('inspect', '-f', '{{.State.Pid}}', 'web'), pid);
      assert.match(followed, /GET \/\?n=\d+ HTTP/);

      const logs = await engine.run(client, ['logs', 'web']);
      const seen = [...logs.stdout.matchAll(/GET \/\?n=(\d+) HTTP/g)].map((match) => Number(match[1]));
      assert.deepEqual(
        seen.toSorted((a, b) => a - b),
        Array.from({ length: sent }, (_, n) => n),
        'each request once in the log',
      );

      await eventually(
        'the lookups',
        async () => ((await ok('logs', 'asker')).includes('done') ? true : undefined),
        60_000,
      );
      assert.equal(await ok('logs', 'asker'), 'done');
      await ok('rm', '-f', 'web', 'asker');
      await ok('network', 'rm', 'front');
    });
  });
}
