/** S50 to S56: networks as a person uses them, by both clients; the host's own tools are the witness. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { clients, eventually, startEngine, type Engine } from './engine.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(async () => await engine.close());

const host = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8' });

async function page(url: string): Promise<string> {
  return await eventually(`an answer from ${url}`, async () => {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(2000) });
      return await answer.text();
    } catch {
      return undefined;
    }
  });
}

const httpd = ['busybox', 'httpd', '-f', '-p', '80', '-h', '/www'];

for (const client of clients) {
  const ok = async (...args: string[]): Promise<string> => await engine.ok(client, args);
  const run = async (...args: string[]): ReturnType<Engine['run']> => await engine.run(client, args);

  describe(`by ${client}`, () => {
    test('S50 the predefined networks; containers reach each other by address', async () => {
      const names = (await ok('network', 'ls', '--format', '{{.Name}} {{.Driver}}')).split('\n').toSorted();
      assert.deepEqual(names, ['bridge bridge', 'host host', 'none null']);
      const gateway = await ok('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Gateway}}', 'bridge');
      assert.match(gateway, /^172\.\d+\.0\.1$/);
      await ok('run', '-d', '--name', 's50', ...httpd);
      const address = await ok('inspect', '-f', '{{.NetworkSettings.Networks.bridge.IPAddress}}', 's50');
      assert.match(
        await ok('run', '--rm', 'busybox', 'wget', '-q', '-O', '-', `http://${address}/`),
        /It works/,
      );
      assert.match(await ok('run', '--rm', 'busybox', 'ping', '-c', '1', gateway), / 0% packet loss/);
      const uplink = JSON.parse(host('ip', '-j', 'route', 'show', 'default')) as { dev: string }[];
      const links = JSON.parse(host('ip', '-j', 'link', 'show', uplink[0]?.dev ?? 'lo')) as { mtu: number }[];
      assert.equal(Number(await ok('exec', 's50', 'cat', '/sys/class/net/eth0/mtu')), links[0]?.mtu);
      await ok('rm', '-f', 's50');
    });

    test('S50 the outside is reached through NAT', async () => {
      const server = createServer((request, answer) => answer.end(`from ${request.socket.remoteAddress}`));
      server.listen(0, '0.0.0.0');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      try {
        const addresses = JSON.parse(host('ip', '-j', '-4', 'addr', 'show', 'scope', 'global')) as {
          ifname: string;
          addr_info: { local: string }[];
        }[];
        const outside =
          addresses.find((link) => !link.ifname.startsWith(engine.instance))?.addr_info[0]?.local ?? '';
        assert.match(
          await ok('run', '--rm', 'busybox', 'wget', '-q', '-O', '-', `http://${outside}:${port}/`),
          /^from /,
        );
      } finally {
        server.close();
      }
    });

    test('S51 none has only loopback, host is the host', async () => {
      assert.equal(await ok('run', '--rm', '--network', 'none', 'busybox', 'ls', '/sys/class/net'), 'lo');
      const links = await ok('run', '--rm', '--network', 'host', 'busybox', 'ip', 'link');
      assert.match(links, new RegExp(`${engine.instance}0`));
    });

    test('S52 a network with a subnet; isolated from others; connect and disconnect live', async () => {
      await ok(
        'network',
        'create',
        '--driver',
        'bridge',
        '--subnet',
        '182.18.0.0/24',
        '--gateway',
        '182.18.0.1',
        'wp',
      );
      await ok('network', 'create', 'other');
      await ok('run', '-d', '--name', 's52', '--network', 'wp', ...httpd);
      const settings = await ok(
        'inspect',
        '-f',
        '{{with .NetworkSettings.Networks.wp}}{{.Gateway}} {{.IPAddress}} {{.MacAddress}}{{end}}',
        's52',
      );
      assert.match(settings, /^182\.18\.0\.1 182\.18\.0\.2 ([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
      const stranger = await run(
        'run',
        '--rm',
        '--network',
        'other',
        'busybox',
        'sh',
        '-c',
        // As PID 1 it would not heed the signal.
        'timeout 1 wget -q -O - http://182.18.0.2/; exit $?',
      );
      assert.equal(stranger.code, 143, 'another network must not reach it: the packets vanish');
      await ok('run', '-d', '--name', 'guest', '--network', 'other', 'busybox', 'sleep', '1000');
      await ok('network', 'connect', '--alias', 'visitor', 'wp', 'guest');
      assert.match(await ok('exec', 'guest', 'wget', '-q', '-O', '-', 'http://s52/'), /It works/);
      assert.match(await ok('exec', 's52', 'nslookup', 'visitor'), /182\.18\.0\.3/);
      await ok('network', 'disconnect', 'wp', 'guest');
      assert.equal(await ok('exec', 'guest', 'sh', '-c', 'ls /sys/class/net | tr "\\n" " "'), 'eth0 lo');
      const busy = await run('network', 'rm', 'wp');
      assert.equal(busy.code, 1);
      assert.match(busy.stderr, /has active endpoints/);
      await ok('rm', '-f', 's52', 'guest');
      await ok('network', 'rm', 'wp', 'other');
    });

    test('S53 names by DNS, also after a restart with another address; aliases; outside names are forwarded', async () => {
      await ok('network', 'create', 'names');
      await ok('run', '-d', '--name', 'first', '--network', 'names', 'busybox', 'sleep', '1000');
      await ok('run', '-d', '--name', 'db', '--network', 'names', '--network-alias', 'store', ...httpd);
      const ask = async (name: string): Promise<string> =>
        (await ok('run', '--rm', '--network', 'names', 'busybox', 'nslookup', name)).split('Name:').at(-1) ??
        '';
      assert.match(
        await ok('run', '--rm', '--network', 'names', 'busybox', 'cat', '/etc/resolv.conf'),
        /^nameserver 127\.0\.0\.11$/m,
      );
      const before = await ok('inspect', '-f', '{{.NetworkSettings.Networks.names.IPAddress}}', 'db');
      assert.ok((await ask('db')).includes(before));
      assert.ok((await ask('store')).includes(before));
      await ok('stop', '-t', '0', 'db', 'first');
      await ok('run', '-d', '--name', 'squatter', '--network', 'names', 'busybox', 'sleep', '1000');
      await ok('run', '-d', '--name', 'squatter2', '--network', 'names', 'busybox', 'sleep', '1000');
      await ok('start', 'db');
      const later = await ok('inspect', '-f', '{{.NetworkSettings.Networks.names.IPAddress}}', 'db');
      assert.notEqual(later, before);
      const answer = await ask('db');
      assert.ok(answer.includes(later) && !answer.includes(`${before}\n`), answer);
      const unknown = await run('run', '--rm', '--network', 'names', 'busybox', 'nslookup', 'nobody.invalid');
      assert.notEqual(unknown.code, 0);
      await ok('rm', '-f', 'db', 'first', 'squatter', 'squatter2');
      await ok('network', 'rm', 'names');
    });

    test('S54 published ports: from the host, from loopback, from the container itself; a taken port is refused', async () => {
      await ok('run', '-d', '--name', 's54', '-p', '127.0.0.1::80', '-p', '0.0.0.0::80', ...httpd);
      const lines = (await ok('port', 's54', '80/tcp')).split('\n');
      assert.equal(lines.length, 2);
      for (const line of lines) {
        assert.match(await page(`http://127.0.0.1:${line.split(':').at(-1)}/`), /It works/);
      }
      const any = lines.find((line) => line.startsWith('0.0.0.0'))?.split(':')[1] ?? '';
      const gateway = await ok('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Gateway}}', 'bridge');
      assert.match(
        await ok('exec', 's54', 'timeout', '3', 'wget', '-q', '-O', '-', `http://${gateway}:${any}/`),
        /It works/,
      );
      const taken = await run('run', '--name', 's54b', '-p', `${any}:80`, ...httpd);
      assert.equal(taken.code, 125);
      assert.match(
        taken.stderr,
        new RegExp(`Bind for 0\\.0\\.0\\.0:${any} failed: port is already allocated`),
      );
      await ok('rm', 's54b');
      const server = createServer().listen(0, '0.0.0.0');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const used = await run('run', '--name', 's54c', '-p', `${port}:80`, ...httpd);
      server.close();
      assert.equal(used.code, 125);
      assert.match(used.stderr, /address already in use/);
      await ok('rm', 's54c');
      await ok('rm', '-f', 's54');
      await assert.rejects(fetch(`http://127.0.0.1:${any}/`), 'the port is closed with its container');
    });

    test('S56 the host sees bridge ports and rules', async () => {
      await ok('run', '-d', '--name', 's56', '-p', '127.0.0.1::80', ...httpd);
      const ports = JSON.parse(
        host('ip', '-j', 'link', 'show', 'master', `${engine.instance}0`),
      ) as unknown[];
      assert.equal(ports.length, 1);
      const pid = await ok('inspect', '-f', '{{.State.Pid}}', 's56');
      assert.match(host('nsenter', '-t', pid, '-n', 'ip', 'addr'), /eth0/);
      const port = (await ok('port', 's56', '80')).split(':').at(-1) ?? '';
      assert.match(host('nft', 'list', 'ruleset'), new RegExp(`\\b${port}\\b`));
      await ok('rm', '-f', 's56');
      // The kernel collects the namespace with its end of the pair in its own time.
      await eventually('the bridge is without ports', async () =>
        host('ip', '-j', 'link', 'show', 'master', `${engine.instance}0`).trim() === '[]' ? true : undefined,
      );
    });
  });
}

test('ports of a running container change, and the engine tells who is reached from where', async () => {
  const slipway = async (...args: string[]): Promise<string> => await engine.ok('slipway', args);
  await slipway('run', '-d', '--name', 'moving', ...httpd);
  assert.equal(await slipway('port', 'moving'), '');
  await slipway('update', '--publish-add', '127.0.0.1::80', 'moving');
  const port = (await slipway('port', 'moving', '80')).split(':').at(-1) ?? '';
  assert.match(await page(`http://127.0.0.1:${port}/`), /It works/);
  const exposed = await slipway('network', 'exposure', '--format', '{{.Container}} {{.Address}} {{.Scope}}');
  assert.equal(exposed, `moving 127.0.0.1:${port} host`);
  assert.match(await slipway('network', 'trace', 'host', `127.0.0.1:${port}`), /moving listens on 80\/tcp/);
  const dropped = await engine.run('slipway', ['network', 'trace', 'moving', `127.0.0.1:${port}`]);
  assert.equal(dropped.code, 1);
  assert.match(dropped.stdout, /^DROP .*no way to the host loopback/);
  await slipway('update', '--publish-rm', '80', 'moving');
  assert.equal(await slipway('port', 'moving'), '');
  await assert.rejects(fetch(`http://127.0.0.1:${port}/`), 'the port is closed');
  await slipway('update', '--publish-add', `127.0.0.1:${port}:80`, 'moving');
  await slipway('restart', '-t', '0', 'moving');
  assert.match(await page(`http://127.0.0.1:${port}/`), /It works/);
  const bad = await engine.run('slipway', ['update', '--publish-add', '80:80/icmp', 'moving']);
  assert.equal(bad.code, 1);
  await slipway('network', 'create', '--subnet', '10.211.0.0/24', 'counted');
  await slipway('network', 'connect', 'counted', 'moving');
  await slipway('exec', 'moving', 'nslookup', 'moving');
  const counted = await slipway('network', 'inspect', '--verbose', '-f', '{{json .Status}}', 'counted');
  assert.match(counted, /"10\.211\.0\.0\/24":\{"IPsInUse":4,"DynamicIPsAvailable":252\}/);
  assert.match(counted, /"Answered":[1-9]/);
  await slipway('rm', '-f', 'moving');
  await slipway('network', 'rm', 'counted');
});
