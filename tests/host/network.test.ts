/** Packets through what the encoders made: a map that sends a port elsewhere, forgotten connections, sockets of a namespace. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, Socket, type Server } from 'node:net';
import { after, test } from 'node:test';
import type { NftChange } from '../../src/core/ports/nft.ts';
import { createHost, createLightHost } from '../../src/host/index.ts';

const host = createHost();
const light = createLightHost();
after(async () => {
  await host.close();
  await light.close();
});

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const table = { family: 'ip', table: 'slip-test' } as const;

/** A bridge in a namespace of its own stands for the host; a container's namespace hangs on it. */
async function makeNetwork() {
  const outside = await host.createNetns();
  await host.link(outside, [
    { op: 'createBridge', name: 'br0', mtu: 1500, mac: '02:42:00:00:00:01' },
    { op: 'addAddress', name: 'br0', address: '10.99.0.1/24' },
    { op: 'setLink', name: 'br0', up: true },
  ]);
  const inside = await host.networkProgram({
    createNamespace: true,
    steps: [
      {
        namespace: outside,
        operations: [
          {
            op: 'createVeth',
            name: 'veth0',
            mtu: 1500,
            bridge: 'br0',
            peer: { name: 'eth0', mac: '02:42:0a:63:00:02', namespace: { created: true } },
          },
          { op: 'setLink', name: 'veth0', up: true },
        ],
      },
      {
        namespace: { created: true },
        operations: [
          { op: 'addAddress', name: 'eth0', address: '10.99.0.2/24' },
          { op: 'setLink', name: 'eth0', up: true },
          { op: 'addRoute', destination: '0.0.0.0/0', gateway: '10.99.0.1' },
        ],
      },
    ],
  });
  assert.ok(inside !== undefined);
  return { outside, inside, close: () => [outside, inside].forEach(({ fd }) => host.closeFd(fd)) };
}

/** `fib daddr type local dnat to proto . dport map @ports`, for packets that start here. */
function portMap(proto: number, port: number, to: number): NftChange[] {
  return [
    { ...table, change: 'addTable' },
    {
      ...table,
      change: 'addSet',
      set: 'ports',
      key: ['inet_proto', 'inet_service'],
      data: ['ipv4_addr', 'inet_service'],
    },
    {
      ...table,
      change: 'addChain',
      chain: 'output',
      hook: { type: 'nat', hook: 'output', priority: -100, policy: 'accept' },
    },
    {
      ...table,
      change: 'addRule',
      chain: 'output',
      expressions: [
        { expr: 'fib', result: 'addrtype', flags: ['daddr'], dreg: 0 },
        { expr: 'cmp', op: 'eq', sreg: 0, data: bytes(2, 0, 0, 0) },
        { expr: 'meta', key: 'l4proto', dreg: 0 },
        { expr: 'payload', base: 'transport', offset: 2, length: 2, dreg: 1 },
        { expr: 'lookup', set: 'ports', sreg: 0, dreg: 0 },
        { expr: 'nat', type: 'dnat', family: 'ip', addressRegister: 0, portRegister: 1 },
      ],
    },
    {
      ...table,
      change: 'addElements',
      set: 'ports',
      elements: [
        {
          key: bytes(proto, 0, 0, 0, port >> 8, port & 0xff, 0, 0),
          data: bytes(10, 99, 0, 2, to >> 8, to & 0xff, 0, 0),
        },
      ],
    },
  ];
}

async function tcpServer(fd: number, greeting: string): Promise<Server> {
  const server = createServer((socket) => socket.end(greeting));
  server.listen({ fd });
  await once(server, 'listening');
  return server;
}

/** What a program prints that runs inside the namespace. */
async function runIn(namespace: { path: string }, ...command: string[]): Promise<string> {
  const child = spawn('nsenter', [`--net=${namespace.path}`, ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  await once(child, 'close');
  return text;
}

const readAll = (port: number, address = '10.99.0.1'): string[] => [
  'bash',
  '-c',
  `exec 3<>/dev/tcp/${address}/${port} && cat <&3`,
];

test('a connection to a mapped port of the host reaches the container', async () => {
  const { outside, inside, close } = await makeNetwork();
  const listening = await host.openSocket(inside, {
    type: 'tcp',
    address: '10.99.0.2',
    port: 8080,
    listen: true,
  });
  const server = await tcpServer(listening.fd, 'from inside');
  await host.nftApply(outside, portMap(6, 80, 8080));
  assert.equal(await runIn(outside, ...readAll(80)), 'from inside');
  await host.nftApply(outside, [
    { ...table, change: 'deleteElements', set: 'ports', elements: [{ key: bytes(6, 0, 0, 0, 0, 80, 0, 0) }] },
  ]);
  assert.equal(
    await runIn(outside, 'bash', '-c', '(exec 3<>/dev/tcp/10.99.0.1/80) 2>/dev/null || echo refused'),
    'refused\n',
  );
  server.close();
  close();
});

/** `bind({ fd })` is done when it returns; its event comes before that. */
function udpEcho(fd: number): UdpSocket {
  const socket = createSocket('udp4').bind({ fd });
  socket.on('message', (message, from) => socket.send(`echo ${String(message)}`, from.port, from.address));
  return socket;
}

test('a socket of a namespace serves on the main loop, for both hosts alike', async () => {
  const { outside, inside, close } = await makeNetwork();
  for (const [opener, port] of [
    [host, 5301],
    [light, 5302],
  ] as const) {
    const { fd } = await opener.openSocket(inside, { type: 'udp', address: '10.99.0.2', port });
    const server = udpEcho(fd);
    const client = await host.openSocket(outside, { type: 'udp', address: '10.99.0.1', port: 0 });
    const socket = createSocket('udp4').bind({ fd: client.fd });
    socket.send('hello', port, '10.99.0.2');
    const [answer] = (await once(socket, 'message')) as [Buffer];
    assert.equal(String(answer), 'echo hello');
    socket.close();
    server.close();
  }
  close();
});

test('IPv6 and SCTP sockets are bound where they are asked to', async () => {
  const { inside, close } = await makeNetwork();
  const both = await host.openSocket(inside, {
    type: 'tcp',
    address: '::',
    port: 90,
    listen: true,
    v6Only: false,
  });
  await assert.rejects(host.openSocket(inside, { type: 'tcp', address: '0.0.0.0', port: 90, listen: true }));
  const alone = await host.openSocket(inside, { type: 'tcp', address: '::', port: 91, listen: true });
  const beside = await host.openSocket(inside, { type: 'tcp', address: '0.0.0.0', port: 91, listen: true });
  for (const { fd } of [both, alone, beside]) host.closeFd(fd);
  try {
    const { fd, port } = await host.openSocket(inside, {
      type: 'sctp',
      address: '127.0.0.1',
      port: 0,
      listen: true,
    });
    assert.ok(port > 0);
    host.closeFd(fd);
  } catch (error) {
    // A kernel without SCTP says so in these words.
    assert.equal((error as { cause?: { code?: string } }).cause?.code, 'EPROTONOSUPPORT');
  }
  close();
});

test('a copy of the descriptor of another process is as good as the original', async () => {
  const { fd, port } = await host.openSocket(undefined, {
    type: 'tcp',
    address: '127.0.0.1',
    port: 0,
    listen: true,
  });
  const child = await host.spawn({ path: '/bin/sleep', args: ['sleep', '60'], env: [], fds: { 7: fd } });
  host.closeFd(fd);
  const copy = host.duplicateFd(child.pidfd, 7);
  host.signalPidfd(child.pidfd, 9);
  await host.waitChild(child.pid);
  assert.throws(() => host.duplicateFd(child.pidfd, 7));
  const server = await tcpServer(copy, 'taken over');
  const socket = new Socket().connect(port, '127.0.0.1');
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  assert.equal(text, 'taken over');
  server.close();
  host.closeFd(child.pidfd);
});

test('connections to a port are forgotten, others are not', async () => {
  const { outside, inside, close } = await makeNetwork();
  // Connections are only tracked where a rule asks for it: the map does.
  await host.nftApply(outside, portMap(17, 5310, 5310));
  const { fd } = await host.openSocket(inside, { type: 'udp', address: '10.99.0.2', port: 5310 });
  const server = udpEcho(fd);
  const client = await host.openSocket(outside, { type: 'udp', address: '10.99.0.1', port: 0 });
  const socket = createSocket('udp4').bind({ fd: client.fd });
  const ask = async (): Promise<void> => {
    socket.send('x', 5310, '10.99.0.1');
    await once(socket, 'message');
  };
  await ask();
  const output = await runIn(outside, process.execPath, '--input-type=module', '-e', conntrackScript);
  assert.deepEqual(JSON.parse(output), [0, 0, 1, 0]);
  await ask();
  socket.close();
  server.close();
  close();
});

/** deleteConntrack works in the host's namespace: a process whose own namespace is the one under test stands for it. */
const conntrackScript = `
const { createHost } = await import(${JSON.stringify(new URL('../../src/host/index.ts', import.meta.url).href)});
const host = createHost();
const counts = [];
for (const filter of [
  { protocol: 'tcp', hostPort: 5310 },
  { protocol: 'udp', hostPort: 5310, hostIp: '10.99.0.9' },
  { protocol: 'udp', hostPort: 5310 },
  { protocol: 'udp', hostPort: 5310 },
]) counts.push(await host.deleteConntrack(filter));
console.log(JSON.stringify(counts));
await host.close();
`;

test('ten thousand elements in one transaction', async () => {
  const { outside, close } = await makeNetwork();
  const elements = Array.from({ length: 10_000 }, (_, at) => ({
    key: bytes(6, 0, 0, 0, at >> 8, at & 0xff, 0, 0),
    data: bytes(10, 99, 0, 2, at >> 8, at & 0xff, 0, 0),
  }));
  const rules = portMap(6, 65535, 1);
  await host.nftApply(outside, [...rules, { ...table, change: 'addElements', set: 'ports', elements }]);
  const listed = await host.nftElements(outside, { ...table, set: 'ports' });
  assert.equal(listed?.length, 10_001);
  close();
});

test('one interface by its name, and none where there is none', async () => {
  const world = await makeNetwork();
  try {
    const named = await host.links(world.outside, 'br0');
    assert.deepEqual(
      named,
      (await host.links(world.outside)).filter(({ name }) => name === 'br0'),
    );
    assert.equal(named.length, 1);
    assert.deepEqual(await host.links(world.outside, 'br1'), []);
  } finally {
    world.close();
  }
});

test('a bridge port is isolated, a sysctl is of the namespace alone, a bad key is refused', async () => {
  const { outside, close } = await makeNetwork();
  await host.link(outside, [
    { op: 'setBridgePort', name: 'veth0', hairpin: true, isolated: true },
    { op: 'sysctl', key: 'net/ipv4/ip_forward', value: '1' },
  ]);
  const shown = await runIn(outside, 'bridge', '-d', 'link', 'show', 'dev', 'veth0');
  assert.match(shown, /hairpin on/);
  assert.match(shown, /isolated on/);
  assert.equal(await runIn(outside, 'cat', '/proc/sys/net/ipv4/ip_forward'), '1\n');
  for (const key of ['net/../kernel/hostname', '../../etc/passwd', 'nokey']) {
    await assert.rejects(host.link(outside, [{ op: 'sysctl', key, value: 'x' }]));
  }
  await assert.rejects(host.link(outside, [{ op: 'sysctl', key: 'net/ipv4/no_such_key', value: '1' }]));
  close();
});
