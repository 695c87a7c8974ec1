// timeout: 300
/** Docker's own `docker compose` (v2) brings a project up, looks at it and takes it down, unchanged against the built engine. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { unpackCompose } from '../peers/trixie.ts';
import { runProgram, startEngine, type Engine } from '../scenarios/engine.ts';

const composeFile = `
name: shop
services:
  web:
    stop_signal: SIGKILL
    image: busybox:latest
    command: httpd -f -p 80 -h /www
    ports: ["127.0.0.1:0:80"]
    depends_on: { db: { condition: service_healthy } }
    networks: [front, back]
    volumes: ["data:/data", "./www:/www:ro"]
    deploy: { resources: { limits: { cpus: '0.5', memory: 64M } } }
  db:
    stop_signal: SIGKILL
    image: busybox:latest
    command: sh -c 'touch /tmp/up; exec sleep 600'
    healthcheck: { test: [CMD, test, -f, /tmp/up], interval: 200ms, retries: 50 }
    networks: { back: { aliases: [database] } }
    secrets: [password]
    configs: [{ source: settings, target: /etc/settings }]
networks:
  front: {}
  back: { internal: true }
volumes: { data: {} }
secrets: { password: { file: ./password } }
configs: { settings: { content: "colour=blue" } }
`;

let engine: Engine;
let folder: string;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slip-compose-'));
  mkdirSync(join(folder, 'www'));
  mkdirSync(join(folder, 'config'));
  symlinkSync(await unpackCompose(), join(folder, 'config/cli-plugins'));
  writeFileSync(join(folder, 'www/index.html'), 'shop page');
  writeFileSync(join(folder, 'password'), 'open sesame');
  writeFileSync(join(folder, 'compose.yaml'), composeFile);
  engine = await startEngine();
});
after(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

/** Its standard output; progress goes to standard error. */
async function compose(...args: readonly string[]): Promise<string> {
  const settings = [`DOCKER_HOST=unix://${engine.socket}`, `DOCKER_CONFIG=${join(folder, 'config')}`];
  const project = ['docker', 'compose', '--project-directory', folder];
  const outcome = await runProgram('env', [...settings, ...project, ...args]);
  assert.equal(outcome.code, 0, `compose ${args.join(' ')}: ${outcome.stderr}`);
  return outcome.stdout.trim();
}

test('up in the order of dependencies, names and files inside, ports, scale, down', async () => {
  await compose('up', '-d');
  assert.deepEqual((await compose('ps', '--format', '{{.Service}} {{.State}} {{.Health}}')).split('\n'), [
    'db running healthy',
    'web running',
  ]);
  const page = await fetch(`http://${await compose('port', 'web', '80')}/`);
  assert.equal(await page.text(), 'shop page');
  assert.equal(
    await compose('exec', '-T', 'db', 'cat', '/run/secrets/password', '/etc/settings'),
    'open sesamecolour=blue',
  );
  assert.match(await compose('exec', '-T', 'web', 'nslookup', 'database'), /Name:\s+database/);
  assert.equal(
    await engine.ok('docker', [
      'inspect',
      'shop-web-1',
      '--format',
      '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}',
    ]),
    `${64 << 20} 500000000`,
  );

  await compose('up', '-d', '--scale', 'db=2', '--no-recreate');
  assert.deepEqual((await compose('ps', '--services')).split('\n').toSorted(), ['db', 'web']);
  assert.equal((await compose('ps', '-q', 'db')).split('\n').length, 2);

  await compose('restart', 'web');
  await compose('cp', 'web:/www/index.html', join(folder, 'copy'));
  await compose('stop');
  assert.equal(await compose('ps', '-q'), '');
  await compose('start');
  assert.match(await compose('ls', '--format', 'json'), /"Name":"shop","Status":"running\(3\)"/);

  await compose('down', '--volumes');
  assert.equal(await engine.ok('docker', ['ps', '-aq']), '');
  assert.equal(await engine.ok('docker', ['volume', 'ls', '-q']), '');
  const networks = await engine.ok('docker', ['network', 'ls', '--format', '{{.Name}}']);
  assert.deepEqual(networks.split('\n'), ['bridge', 'host', 'none']);
});
