// timeout: 300
/** Programs written with the SDKs, against the built engine. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { tarOf } from '../containers/archive-client.ts';
import { runProgram, startEngine, type Engine } from '../scenarios/engine.ts';
import { installDockerode, installTestcontainers } from './npm-clients.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(async () => await engine.close());

test('the Python SDK', async () => {
  const script = join(import.meta.dirname, 'python_sdk.py');
  // Debian's python3-docker belongs to Debian's Python, whichever comes first in the path.
  const outcome = await runProgram('/usr/bin/python3', [script, `unix://${engine.socket}`]);
  assert.equal(outcome.stdout.trim(), 'done', outcome.stderr + engine.log().slice(-2000));
  assert.equal(await engine.ok('docker', ['ps', '-aq']), '');
});

test('dockerode', async () => {
  const folder = await installDockerode();
  const script = join(import.meta.dirname, 'dockerode.cjs');
  const outcome = await runProgram(process.execPath, [script, folder, engine.socket]);
  assert.equal(outcome.stdout.trim(), 'done', outcome.stderr + engine.log().slice(-2000));
  assert.equal(await engine.ok('docker', ['ps', '-aq']), '');
});

test('the Python SDK: every operation on containers and execs', async () => {
  const script = join(import.meta.dirname, 'python_containers.py');
  const outcome = await runProgram('/usr/bin/python3', [script, `unix://${engine.socket}`]);
  assert.equal(outcome.stdout.trim(), 'done', outcome.stderr + engine.log().slice(-2000));
  assert.equal(await engine.ok('docker', ['ps', '-aq']), '');
});

test('dockerode: every operation on containers and execs', async () => {
  const folder = await installDockerode();
  const script = join(import.meta.dirname, 'dockerode-containers.cjs');
  const archive = tarOf({ name: 'by-ode', content: 'from dockerode' }).toString('base64');
  const outcome = await runProgram(process.execPath, [script, folder, engine.socket, archive]);
  assert.equal(outcome.stdout.trim(), 'done', outcome.stderr + engine.log().slice(-2000));
  assert.equal(await engine.ok('docker', ['ps', '-aq']), '');
});

test('Testcontainers: networks, waits, copies, execs', async () => {
  const folder = await installTestcontainers();
  const script = join(import.meta.dirname, 'testcontainers.cjs');
  // Ryuk, its helper for clean-up, is an image of a public registry.
  const settings = [`DOCKER_HOST=unix://${engine.socket}`, 'TESTCONTAINERS_RYUK_DISABLED=true'];
  const outcome = await runProgram('env', [...settings, process.execPath, script, folder]);
  assert.equal(outcome.stdout.trim(), 'done', outcome.stderr + engine.log().slice(-2000));
  assert.equal(await engine.ok('docker', ['ps', '-aq']), '');
});
