'use strict';
// What a program written with dockerode does. argv: folder with node_modules, socket of the engine.

const assert = require('node:assert/strict');
const { createRequire } = require('node:module');
const { PassThrough } = require('node:stream');
const { join } = require('node:path');

const [folder, socketPath] = process.argv.slice(2);
const Docker = createRequire(join(folder, 'package.json'))('dockerode');
const docker = new Docker({ socketPath });

function collect(stream) {
  let text = '';
  stream.on('data', (data) => (text += data.toString()));
  return () => text;
}

async function execHijacked(container) {
  const exec = await container.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
  const stream = await exec.start({ hijack: true, stdin: true });
  const out = new PassThrough();
  const text = collect(out);
  docker.modem.demuxStream(stream, out, new PassThrough());
  const ended = new Promise((resolve) => stream.on('close', resolve));
  stream.end('typed by dockerode');
  await ended;
  assert.equal(text(), 'typed by dockerode');
  assert.equal((await exec.inspect()).ExitCode, 0);
}

async function main() {
  assert.equal((await docker.ping()).toString(), 'OK');
  const out = new PassThrough();
  const text = collect(out);
  const [result] = await docker.run('busybox', ['sh', '-c', 'echo by dockerode; exit 3'], out, {
    Tty: false,
    HostConfig: { AutoRemove: true },
  });
  assert.equal(result.StatusCode, 3);
  assert.match(text(), /by dockerode/);

  const container = await docker.createContainer({
    Image: 'busybox',
    name: 'ode',
    Cmd: ['cat'],
    OpenStdin: true,
    StdinOnce: true,
  });
  const attached = await container.attach({
    stream: true,
    stdin: true,
    stdout: true,
    stderr: true,
    hijack: true,
  });
  const attachedText = collect(attached);
  await container.start();
  await execHijacked(container);
  const ended = new Promise((resolve) => attached.on('close', resolve));
  attached.end('stdin of the container');
  await ended;
  assert.match(attachedText(), /stdin of the container/);
  assert.equal((await container.wait()).StatusCode, 0);
  assert.match((await container.logs({ stdout: true })).toString(), /stdin of the container/);
  await container.remove();
  await assert.rejects(container.inspect(), { statusCode: 404 });

  const events = await docker.getEvents({ since: 1, until: Math.floor(Date.now() / 1000) });
  const eventText = collect(events);
  await new Promise((resolve) => events.on('end', resolve));
  assert.match(eventText(), /"Action":"create"/);
  console.log('done');
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
