import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createNetHelper } from '#src/network/index.ts';
import { isolated } from './isolated.ts';
import { ctx, netProgram, servePage, serveScript, World, type Box } from './world.ts';

/** Asks in a namespace through Node's own resolver; prints JSON of the answer or the error's code. */
function lookup(box: Box, method: string, name: string, tcp = false): Promise<unknown> {
  const script = tcp
    ? `
    const net = require('net'); const labels = ${JSON.stringify(name)}.split('.');
    const q = Buffer.concat([Buffer.from([0,9,1,0,0,1,0,0,0,0,0,0]), ...labels.map((l) => Buffer.from([l.length, ...Buffer.from(l)])), Buffer.from([0,0,1,0,1])]);
    const s = net.connect(53, '127.0.0.11', () => s.write(Buffer.concat([Buffer.from([0, q.length]), q])));
    s.on('data', (d) => { console.log(JSON.stringify([...d.subarray(-4)].join('.'))); s.end(); });`
    : `const r = new (require('dns').Resolver)({ timeout: 1500, tries: 2 }); r.setServers(['127.0.0.11']);
    r.${method}(${JSON.stringify(name)}, (e, a) => console.log(JSON.stringify(e ? e.code : a)));`;
  const child = spawn('nsenter', [`--net=${box.namespace.path}`, process.execPath, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return output(child).then((text) => JSON.parse(text) as unknown);
}

/** Asks for `www` over UDP from this very port; how many answers came, `refused` where nobody listens. */
async function askFrom(box: Box, sourcePort: number): Promise<string> {
  const script = `const u = require('dgram').createSocket('udp4'); const q = Buffer.from([0,9,1,0,0,1,0,0,0,0,0,0,3,119,119,119,0,0,1,0,1]);
    u.on('error', () => { console.log('refused'); u.close(); });
    u.on('message', (m) => { console.log(m.readUInt16BE(6)); u.close(); });
    u.bind(${sourcePort}, '127.0.0.1', () => u.connect(53, '127.0.0.11', () => u.send(q)));`;
  const child = spawn('nsenter', [`--net=${box.namespace.path}`, process.execPath, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return (await output(child)).trim();
}

/** Sends two questions in one query; the head of the answer, without its last counts. */
async function askNothing(box: Box): Promise<string> {
  const script = `const u = require('dgram').createSocket('udp4'); const q = Buffer.from([1,9,0,0,0,2,0,0,0,0,0,0,1,97,0,0,1,0,1,1,98,0,0,1,0,1]);
    u.on('message', (m) => { console.log(m.toString('hex', 0, 6)); u.close(); }); u.send(q, 53, '127.0.0.11');`;
  const child = spawn('nsenter', [`--net=${box.namespace.path}`, process.execPath, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return (await output(child)).trim();
}

async function output(child: ChildProcess): Promise<string> {
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child, 'close');
  return text;
}

/** A name server behind: knows one name, over UDP and TCP; everything else does not exist. */
const upstreamScript = `
  const dgram = require('dgram'), net = require('net');
  const answer = (q) => { const end = q.indexOf(0, 12) + 5; const name = q.subarray(13, 13 + q[12]).toString();
    const head = Buffer.from(q.subarray(0, end)); head[2] = 0x81; head.writeUInt16BE(0, 10);
    if (name === 'silent') return undefined;
    if (name === 'broken') { head[3] = 0x80; head.writeUInt16BE(4, 6); return head; }
    if (name !== 'example') { head[3] = 0x83; return head; }
    head[3] = 0x80; head.writeUInt16BE(1, 6);
    return Buffer.concat([head, Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 7])]); };
  const u = dgram.createSocket('udp4');
  u.on('message', (m, r) => { const a = answer(m); if (a) u.send(a, r.port, r.address); });
  net.createServer((s) => { s.on('error', () => {}); s.on('data', (d) => { const a = answer(d.subarray(2)); const h = Buffer.alloc(2); h.writeUInt16BE(a.length); s.write(Buffer.concat([h, a])); }); }).listen(53, '0.0.0.0');
  u.bind(53, '0.0.0.0', () => console.log('up'));`;

isolated(import.meta.filename, () => {
  let world: World;
  let web: Box;
  let client: Box;

  before(async () => {
    world = new World();
    const outside = await world.addOutside();
    await world.start();
    world.keep(await serveScript(outside, upstreamScript));
    world.upstream = '192.0.2.1';
    await world.networks.create(ctx, { name: 'app' });
    await world.networks.create(ctx, { name: 'inner', internal: true });
    web = await world.run(
      'Web',
      { NetworkMode: 'app' },
      { EndpointsConfig: { app: { Aliases: ['www', 'pool'] } } },
    );
    client = await world.run(
      'client',
      { NetworkMode: 'app' },
      { EndpointsConfig: { app: { Aliases: ['pool'], Links: ['Web:backend'] } } },
    );
  });
  after(() => world.end());

  test('names, aliases, short ids and links are answered, in any case of letters', async () => {
    const address = [web.record.endpoints['app']?.ipv4];
    for (const name of ['web', 'WEB', 'www', web.record.id.slice(0, 12), 'web.app', 'backend'])
      assert.deepEqual(await lookup(client, 'resolve4', name), address, name);
    assert.equal(((await lookup(client, 'resolve4', 'pool')) as string[]).length, 2);
    assert.equal(await lookup(client, 'resolve6', 'web'), 'ENODATA');
    assert.deepEqual(await lookup(client, 'reverse', address[0] ?? ''), ['Web.app']);
    assert.equal(await lookup(client, '', 'web', true), address[0], 'by TCP');
    assert.equal(await lookup(web, 'resolve4', 'backend'), 'ENOTFOUND', "a link is the asker's own");
  });

  test('a burst from one socket: each query has its answer, addresses in changing order, all counted', async () => {
    const asker = await world.run('burst', { NetworkMode: 'app' });
    // 64 at once leave room in any socket; ids tell which came back.
    const script = `const u = require('dgram').createSocket('udp4'); const seen = new Set(), orders = new Set();
      const ask = (id) => u.send(Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 112, 111, 111, 108, 0, 0, 1, 0, 1]));
      let next = 0; const round = () => { for (let n = 0; n < 64; n++) ask(next++); };
      u.on('message', (m) => { seen.add(m.readUInt16BE(0)); orders.add(m.subarray(34, 38).join('.') + ' ' + m.subarray(50, 54).join('.'));
        if (seen.size === next) if (next < 1280) round(); else { console.log(JSON.stringify({ seen: seen.size, orders: [...orders] })); u.close(); } });
      u.connect(53, '127.0.0.11', round);`;
    const child = spawn('nsenter', [`--net=${asker.namespace.path}`, process.execPath, '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const told = JSON.parse(await output(child)) as { seen: number; orders: string[] };
    const [one, two] = [web, client].map(({ record }) => record.endpoints['app']?.ipv4);
    assert.equal(told.seen, 1280);
    assert.deepEqual(told.orders.toSorted(), [`${one} ${two}`, `${two} ${one}`].toSorted());
    const own = (await world.helper.lookups(ctx))[asker.record.id];
    assert.deepEqual([own?.queries, own?.answered, own?.limited], [1280, 1280, 0]);
    await world.stop(asker);
  });

  test('the rest is asked behind; what does not exist, does not answer or may not be asked is told as such', async () => {
    assert.deepEqual(await lookup(client, 'resolve4', 'example.test'), ['203.0.113.7']);
    assert.equal(await lookup(client, '', 'example.test', true), '203.0.113.7', 'by TCP');
    assert.equal(await lookup(client, 'resolve4', 'nowhere.test'), 'ENOTFOUND');
    assert.equal(await lookup(client, 'resolve4', 'broken.test'), 'ESERVFAIL', 'fewer records than it says');
    assert.equal(await askNothing(client), '010980010000', 'two questions: a format error');
    const inner = await world.run('inner-a', { NetworkMode: 'inner' });
    assert.equal(await lookup(inner, 'resolve4', 'example.test'), 'ESERVFAIL');
    assert.equal(await lookup(inner, 'resolve4', 'web'), 'ESERVFAIL', 'names of another network');
    await world.stop(inner);
  });

  test('answers are kept as long as they say, by the container that asked, and lookups are counted', async () => {
    const asker = await world.run('asker', { NetworkMode: 'app' });
    const before = await world.networks.lookups(ctx, 'app');
    for (let round = 0; round < 3; round++)
      assert.deepEqual(await lookup(asker, 'resolve4', 'example.test'), ['203.0.113.7']);
    assert.equal(await lookup(asker, 'resolve4', 'nowhere.test'), 'ENOTFOUND');
    const own = (await world.helper.lookups(ctx))[asker.record.id];
    assert.deepEqual([own?.forwarded, own?.cached, own?.queries], [2, 2, 4]);
    const after = await world.networks.lookups(ctx, 'app');
    assert.equal((after?.queries ?? 0) - (before?.queries ?? 0), 4);
    assert.equal(await world.networks.lookups(ctx, 'bridge'), undefined);
    await world.stop(asker);
  });

  test('a container may serve port 53 itself', async () => {
    const own = await world.run('own', { NetworkMode: 'app' });
    world.keep(await serveScript(own, upstreamScript));
    assert.deepEqual(await lookup(own, 'resolve4', 'www'), [web.record.endpoints['app']?.ipv4]);
    await world.stop(own);
  });

  test('connect and disconnect of a running container', async () => {
    const late = await world.run('late');
    await world.networks.connect(ctx, 'app', 'late', { Aliases: ['spät', 'tardy'] });
    const connected = world.boxes.get(late.record.id);
    assert.ok(connected);
    assert.equal(connected.record.endpoints['app']?.interfaceName, 'eth1');
    assert.deepEqual(await lookup(client, 'resolve4', 'tardy'), [connected.record.endpoints['app']?.ipv4]);
    assert.deepEqual(await lookup(connected, 'resolve4', 'www'), [web.record.endpoints['app']?.ipv4]);
    await assert.rejects(world.networks.connect(ctx, 'app', 'late', {}), /already exists in network app/);
    await world.networks.disconnect(ctx, 'app', 'late', false);
    assert.equal(await lookup(client, 'resolve4', 'tardy'), 'ENOTFOUND');
    await assert.rejects(
      world.networks.disconnect(ctx, 'app', 'late', false),
      /is not connected to network app/,
    );
    await world.stop(world.boxes.get(late.record.id) ?? late);
  });

  test('a name follows its container to another address', async () => {
    const first = await world.run('mover', { NetworkMode: 'app' });
    await world.stop(first);
    const filler = await world.run('filler', { NetworkMode: 'app' });
    const second = await world.launch({
      ...first.record,
      endpoints: world.networks.cleared(first.record.endpoints),
      ports: [],
    });
    assert.notEqual(second.record.endpoints['app']?.ipv4, first.record.endpoints['app']?.ipv4);
    assert.deepEqual(await lookup(client, 'resolve4', 'mover'), [second.record.endpoints['app']?.ipv4]);
    await world.stop(filler);
    await world.stop(second);
  });

  test('lookups and relayed ports go on without a daemon, and through the replacement of the process', async () => {
    const box = await world.run('published', {
      NetworkMode: 'app',
      PortBindings: { '80/tcp': [{ HostPort: '8085' }] },
    });
    world.keep(await servePage(box, 'page '));
    const before = await world.helper.stats(ctx);
    world.helper.close();
    assert.deepEqual(await lookup(client, 'resolve4', 'www'), [web.record.endpoints['app']?.ipv4]);

    const script = `const r = new (require('dns').Resolver)({ timeout: 1000, tries: 1 }); r.setServers(['127.0.0.11']);
      let n = 0, bad = 0, stop = false; process.stdin.on('end', () => (stop = true)); process.stdin.resume(); console.log('up');
      const go = () => r.resolve4(['www', 'example.test'][n % 2], (e) => { n++; if (e) bad++; if (stop) console.log(JSON.stringify({ n, bad })); else go(); }); go();`;
    const asker = spawn('nsenter', [`--net=${client.namespace.path}`, process.execPath, '-e', script]);
    await once(asker.stdout, 'data');
    const told = output(asker);
    const other = { ...netProgram, args: ['--no-warnings', ...netProgram.args] };
    const newer = createNetHelper({ host: world.host, runRoot: world.runRoot, program: other, log: ctx.log });
    await newer.ensureRunning(ctx);
    const replaced = await newer.stats(ctx);
    assert.notEqual(replaced.pid, before.pid);
    assert.equal(Number(readFileSync(`${world.runRoot}/net.pid`, 'utf8')), replaced.pid);
    await fetch('http://[::1]:8085/', { headers: { connection: 'close' } }).then((response) =>
      response.text(),
    );
    await lookup(client, 'resolve4', 'www');
    asker.stdin.end();
    const counted = JSON.parse(await told) as { n: number; bad: number };
    assert.ok(counted.n > 100, `${counted.n} lookups`);
    assert.equal(counted.bad, 0);
    assert.equal((await newer.list(ctx)).ports.length, 2);
    newer.close();
    await world.restart();
    assert.deepEqual(await lookup(client, 'resolve4', 'www'), [web.record.endpoints['app']?.ipv4]);
    await world.stop(box);
  });

  test('a killed process is started again and knows everything', async () => {
    const { pid } = await world.helper.stats(ctx);
    const box = await world.run('held', {
      NetworkMode: 'app',
      PortBindings: { '80/tcp': [{ HostPort: '8086' }] },
    });
    const restarted = new Promise<void>((resolve) => world.helper.onRestart(resolve));
    assert.equal(await askFrom(client, 40_000), '1');
    process.kill(pid, 'SIGKILL');
    await restarted;
    await world.helper.list(ctx);
    // Connection tracking remembers where this port was answered.
    assert.equal(await askFrom(client, 40_000), '1');
    assert.deepEqual(await lookup(client, 'resolve4', 'www'), [web.record.endpoints['app']?.ipv4]);
    assert.equal((await world.helper.list(ctx)).ports.length, 2);
    await world.stop(box);
    assert.equal((await world.helper.list(ctx)).ports.length, 0);
  });

  test('a published UDP port answers from outside, from 127.0.0.1 and from ::1', async () => {
    const box = await world.run('echo', { PortBindings: { '7/udp': [{ HostPort: '7007' }] } });
    const echo = `const u = require('dgram').createSocket('udp4'); u.on('message', (m, r) => u.send('echo ' + m, r.port, r.address)); u.bind(7, '0.0.0.0', () => console.log('up'));`;
    world.keep(await serveScript(box, echo));
    for (const [kind, address] of [
      ['udp4', '127.0.0.1'],
      ['udp6', '::1'],
    ] as const) {
      const socket = createSocket(kind);
      const answered = once(socket, 'message', { signal: AbortSignal.timeout(3000) });
      socket.send('hi', 7007, address);
      assert.equal(String((await answered)[0]), 'echo hi', address);
      socket.close();
    }
    await world.stop(box);
  });

  test('a flood from one container leaves the others their answers', async () => {
    const flood = `const u = require('dgram').createSocket('udp4'); const q = Buffer.from([0,9,1,0,0,1,0,0,0,0,0,0,3,119,119,119,0,0,1,0,1]);
      let on = true; const go = () => { for (let i = 0; i < 50; i++) u.send(q, 53, '127.0.0.11'); if (on) setImmediate(go); }; console.log('up'); go();`;
    const flooder = await world.run('flooder', { NetworkMode: 'app' });
    const child = world.keep(await serveScript(flooder, flood));
    for (let round = 0; round < 5; round++)
      assert.deepEqual(await lookup(client, 'resolve4', 'www'), [web.record.endpoints['app']?.ipv4]);
    child.kill('SIGKILL');
    await world.stop(flooder);
  });

  test('a process that nobody can reach any more ends', async () => {
    const runRoot = mkdtempSync(join(tmpdir(), 'slip-'));
    const lonely = createNetHelper({ host: world.host, runRoot, program: netProgram, log: ctx.log });
    await lonely.ensureRunning(ctx);
    const { pid } = await lonely.stats(ctx);
    lonely.close();
    rmSync(runRoot, { recursive: true });
    assert.equal(await world.host.waitChild(pid), 0);
  });

  test('the process is small', async () => {
    const { rssBytes } = await world.helper.stats(ctx);
    process.stdout.write(`slipway-net from source: ${Math.round(rssBytes / 1048576)} MB\n`);
    assert.ok(rssBytes < 110 * 1048576, `${rssBytes}`);
  });
});
