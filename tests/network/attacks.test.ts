/** Containers with raw sockets (as Docker's default has them) and containers on internal networks against the host and their neighbours. */

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { bridgeOption } from '#src/core/model/bridge-settings.ts';
import { eventually } from '../scenarios/engine.ts';
import { isolated } from './isolated.ts';
import { ctx, inside, servePage, World, type Box } from './world.ts';

type Place = Pick<Box, 'namespace'>;
const here: Place = { namespace: { fd: -1, path: '/proc/self/ns/net' } };
const run = (command: string): string =>
  execFileSync('sh', ['-c', command], { encoding: 'utf8', timeout: 15_000 });
const python = (box: Place, script: string): string => inside(box, 'python3', '-c', script).trim();
/** All asked at once; what those print that are answered. */
const pages = (from: Place, ...urls: readonly string[]): string =>
  spawnSync('nsenter', [`--net=${from.namespace.path}`, 'curl', '-gs', '-Z', '-m', '2', ...urls], {
    encoding: 'utf8',
  }).stdout;

/** A router's advertisement, with a prefix and itself as the default route. */
const advertise = `
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)
s.setsockopt(41, 18, 255)
index = socket.if_nametoindex('eth0')
prefix = struct.pack('!BBBBIII16s', 3, 4, 64, 0xc0, 86400, 86400, 0, socket.inet_pton(10, '2001:db8:66::'))
s.sendto(struct.pack('!BBHBBHII', 134, 0, 0, 64, 0, 1800, 0, 0) + prefix, ('ff02::1', 0, 0, index))
`;

/** Asks by ARP who has each address, and sends a datagram to each in a frame to `mac`. Prints the addresses that were answered for. */
const frames = (mac: string, addresses: readonly string[], port: number): string => `
import socket, struct, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(('eth0', 0))
s.settimeout(0.2)
own = s.getsockname()[4]
mac = bytes.fromhex('${mac.replaceAll(':', '')}')
def total(data):
    words = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while words >> 16: words = (words & 0xffff) + (words >> 16)
    return ~words & 0xffff
for address in ${JSON.stringify(addresses)}:
    to = socket.inet_aton(address)
    sender = socket.inet_aton('10.99.4.2')
    s.send(b'\\xff' * 6 + own + b'\\x08\\x06' + struct.pack('!HHBBH', 1, 0x800, 6, 4, 1) + own + sender + b'\\0' * 6 + to)
    deadline = time.time() + 1
    while time.time() < deadline:
        try: frame = s.recv(2000)
        except TimeoutError: continue
        if frame[12:14] == b'\\x08\\x06' and frame[20:22] == b'\\0\\2' and frame[28:32] == to:
            print(address)
            break
    head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 33, 1, 0, 64, 17, 0, sender, to)
    head = head[:10] + struct.pack('!H', total(head)) + head[12:]
    s.send(mac + own + b'\\x08\\x00' + head + struct.pack('!HHHH', 4000, ${port}, 13, 0) + b'frame')
`;

async function listen(): Promise<{ socket: Socket; port: number; heard: string[] }> {
  const heard: string[] = [];
  const socket = createSocket('udp4', (message) => heard.push(message.toString()));
  // A test that fails must not be held open by it.
  socket.unref();
  socket.bind(0, '0.0.0.0');
  await once(socket, 'listening');
  return { socket, port: socket.address().port, heard };
}

isolated(import.meta.filename, () => {
  let world: World;
  const network = (name: string, at: number, options: Record<string, string> = {}, internal = false) =>
    world.networks.create(ctx, {
      name,
      internal,
      enableIPv6: true,
      ipam: { config: [{ subnet: `10.99.${at}.0/24` }, { subnet: `fd88:0:0:${at}::/64` }] },
      options,
    });
  const bridgeOf = (name: string): string => world.networks.inspect(name).network.bridgeName ?? '';
  const linkLocal = (bridge: string): string =>
    /inet6 (fe80:\S+)\//.exec(run(`ip -6 -o addr show dev ${bridge} scope link`))?.[1] ?? '';

  before(async () => {
    world = new World();
    await world.addOutside();
    await world.start();
    world.keep(await servePage(here, 'host ', 9099));
  });
  after(() => world.end());

  test('a container that says it is a router is believed by no neighbour, and not by the host', async () => {
    await network('open', 6);
    const [liar, neighbour] = [
      await world.run('liar', { NetworkMode: 'open' }),
      await world.run('neighbour', { NetworkMode: 'open' }),
    ];
    const routes = inside(neighbour, 'ip', '-6', 'route');
    const received = (): number =>
      Number(/Icmp6InRouterAdvertisements\s+(\d+)/.exec(inside(neighbour, 'cat', '/proc/net/snmp6'))?.[1]);
    python(liar, advertise);
    await eventually('it has come', () => Promise.resolve(received() > 0 ? true : undefined));
    assert.equal(inside(neighbour, 'ip', '-6', 'route'), routes);
    assert.doesNotMatch(inside(neighbour, 'ip', '-6', 'addr'), /2001:db8:66:/);
    assert.doesNotMatch(run('ip -6 route; ip -6 addr'), /2001:db8:66:|proto ra/);
    for (const box of [liar, neighbour]) await world.stop(box);
  });

  test('an isolated network sees nothing of the host: no link-local address, no neighbour of any address, no frame taken', async () => {
    const isolatedModes = {
      [bridgeOption.gatewayModeIpv4]: 'isolated',
      [bridgeOption.gatewayModeIpv6]: 'isolated',
    };
    await network('cell', 4, isolatedModes, true);
    await network('inner', 5, {}, true);
    const [cell, inner] = [
      await world.run('cell', { NetworkMode: 'cell' }),
      await world.run('inner', { NetworkMode: 'inner' }),
    ];
    const page = (bridge: string): string => `http://[${linkLocal(bridge)}%25eth0]:9099/`;
    await eventually('an internal one does, as with Docker', () =>
      Promise.resolve(pages(inner, page(bridgeOf('inner'))).startsWith('host ') ? true : undefined),
    );
    assert.equal(pages(cell, page(bridgeOf('cell'))), '');
    const { socket, port, heard } = await listen();
    const mac = /link\/ether (\S+)/.exec(run(`ip -o link show dev ${bridgeOf('cell')}`))?.[1] ?? '';
    const addresses = ['192.0.2.2', '10.99.5.1', '127.0.0.1'];
    assert.equal(python(cell, frames(mac, addresses, port)), '', 'nobody answers for them');
    // What came before this one would have been heard before it.
    python(inner, `import socket; socket.socket(2, 2).sendto(b'mark', ('10.99.5.1', ${port}))`);
    await eventually('the mark is heard', () => Promise.resolve(heard.length > 0 ? true : undefined));
    assert.deepEqual(heard, ['mark']);
    socket.close();
    for (const box of [cell, inner]) await world.stop(box);
  });

  test('an internal network reaches no published port of another one, whoever carries it', async () => {
    await network('closed', 7, {}, true);
    await network('wide', 8);
    await world.networks.create(ctx, { name: 'four', ipam: { config: [{ subnet: '10.99.9.0/24' }] } });
    const [shut, free] = [
      await world.run('shut', { NetworkMode: 'closed' }),
      await world.run('free', { NetworkMode: 'wide' }),
    ];
    const web = await world.run('web', {
      NetworkMode: 'four',
      PortBindings: {
        '80/tcp': [{ HostPort: '8088' }, { HostIp: 'fd88:0:0:7::1', HostPort: '8089' }],
      },
    });
    world.keep(await servePage(web, 'published '));
    const urls = (at: number): readonly string[] => [
      `http://10.99.${at}.1:8088/`,
      `http://[fd88:0:0:${at}::1]:8088/`,
      'http://[fd88:0:0:7::1]:8089/',
    ];
    await eventually('others reach it, translated and relayed', () =>
      Promise.resolve(pages(free, ...urls(8)).match(/published /g)?.length === 3 ? true : undefined),
    );
    assert.equal(pages(shut, ...urls(7)), '');
    await world.restart();
    assert.equal(pages(shut, ...urls(7)), '', 'and not after a restart of the daemon');
    assert.match(run('nft list set inet sliptest relayed6'), /tcp . 8088/);
    for (const box of [shut, free, web]) await world.stop(world.boxes.get(box.record.id) ?? box);
    assert.doesNotMatch(run('nft list set inet sliptest relayed6'), /8088/);
    assert.doesNotMatch(run('nft list set inet sliptest bound_relayed6'), /8089/);
  });
});
