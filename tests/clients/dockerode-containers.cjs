'use strict';
// Every operation on containers and execs through dockerode. argv: folder with node_modules, socket of the engine, an archive in base64.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { createRequire } = require('node:module');
const { PassThrough } = require('node:stream');
const { join } = require('node:path');

const [folder, socketPath, archiveText] = process.argv.slice(2);
const Docker = createRequire(join(folder, 'package.json'))('dockerode');
const docker = new Docker({ socketPath });

async function textOf(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

async function execs(container) {
  const exec = await container.exec({
    Cmd: ['sh', '-c', 'echo $X; pwd; echo bad >&2; exit 9'],
    AttachStdout: true,
    AttachStderr: true,
    Env: ['X=y'],
    WorkingDir: '/tmp',
    User: '1000',
  });
  const stream = await exec.start({});
  const [out, err] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, out, err);
  stream.on('end', () => {
    out.end();
    err.end();
  });
  assert.deepEqual(await Promise.all([textOf(out), textOf(err)]), ['y\n/tmp\n', 'bad\n']);
  const { ExitCode, Running, ProcessConfig } = await exec.inspect();
  assert.deepEqual([ExitCode, Running, ProcessConfig.user], [9, false, '1000']);
  const tty = await container.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true, Tty: true });
  const terminal = await tty.start({ hijack: true, stdin: true, Tty: true });
  await tty.resize({ h: 20, w: 70 });
  terminal.write('typed\n');
  const [echo] = await once(terminal, 'data');
  assert.match(echo.toString(), /typed/);
  terminal.end('\u0004');
  await once(terminal, 'close');
}

async function files(container) {
  await container.putArchive(Buffer.from(archiveText, 'base64'), { path: '/root' });
  const archive = await textOf(await container.getArchive({ path: '/root/by-ode' }));
  assert.match(archive, /^by-ode\0/);
  const info = await container.infoArchive({ path: '/root/by-ode' });
  info.resume();
  const stat = JSON.parse(Buffer.from(info.headers['x-docker-container-path-stat'], 'base64').toString());
  assert.equal(stat.name, 'by-ode');
  const changes = await container.changes();
  assert.ok(changes.some(({ Path, Kind }) => Path === '/root/by-ode' && Kind === 1));
  assert.match(await textOf(await container.export()), /root\/by-ode/);
}

async function states(container) {
  await container.pause();
  assert.equal((await container.inspect()).State.Paused, true);
  await container.unpause();
  await container.update({ Memory: 96 << 20, MemorySwap: -1 });
  await container.rename({ name: 'ode3' });
  assert.equal((await container.inspect()).HostConfig.Memory, 96 << 20);
  await container.restart({ t: 0 });
  await container.kill({ signal: 'SIGCONT' });
  const next = container.wait({ condition: 'next-exit' });
  await container.stop({ t: 0 });
  assert.equal((await next).StatusCode, 137);
  await assert.rejects(container.stop(), { statusCode: 304 });
  await container.start();
  await assert.rejects(container.start(), { statusCode: 304 });
  await assert.rejects(container.remove(), { statusCode: 409 });
}

async function main() {
  const container = await docker.createContainer({
    Image: 'busybox',
    name: 'ode2',
    Cmd: ['sh', '-c', 'echo ready; exec sleep 1000'],
    Labels: { k: 'ode' },
    HostConfig: { Memory: 64 << 20, NetworkMode: 'none' },
  });
  await container.start();
  const follow = await container.logs({ follow: true, stdout: true, stderr: true });
  const [line] = await once(follow, 'data');
  assert.match(line.toString(), /ready/);
  follow.destroy();
  const [listed] = await docker.listContainers({ filters: { label: ['k=ode'] } });
  assert.deepEqual(listed.Names, ['/ode2']);
  assert.ok((await container.top()).Processes.length > 0);
  assert.deepEqual((await container.top({ ps_args: '-o pid,args' })).Titles, ['PID', 'COMMAND']);
  assert.equal((await container.stats({ stream: false })).memory_stats.limit, 64 << 20);
  const samples = await container.stats({ stream: true });
  const [sample] = await once(samples, 'data');
  assert.equal(JSON.parse(sample.toString()).name, '/ode2');
  samples.destroy();
  await execs(container);
  await files(container);
  await states(container);
  const made = await container.commit({ repo: 'ode-made', changes: 'CMD ["cat","/root/by-ode"]' });
  assert.match(made.Id, /^sha256:/);
  const out = new PassThrough();
  const printed = textOf(out);
  await docker.run('ode-made', [], out, { HostConfig: { AutoRemove: true } });
  out.end();
  assert.equal(await printed, 'from dockerode');
  await container.remove({ force: true, v: true });
  await docker.getImage('ode-made').remove();
  const pruned = await docker.pruneContainers({ filters: { label: ['k=ode'] } });
  assert.equal(pruned.SpaceReclaimed, 0);
  console.log('done');
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
