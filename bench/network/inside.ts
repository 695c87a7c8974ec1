/**
 * The network room on the real kernel without an engine around it, in a namespace of its own (`unshare --net --mount`):
 * what a start spends on its network, ports by the thousand, and throughput. Prints one JSON object.
 */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createFirewall } from '../../src/network/index.ts';
import type { FirewallPort } from '../../src/core/ports/firewall.ts';
import { ctx, inside, instance, serveScript, World, type Box } from '../../tests/network/world.ts';
import { median, spread } from '../measures.ts';

const run = (command: string): string => execFileSync('sh', ['-c', command], { encoding: 'utf8' });
run('ip link set lo up');
const quick = process.argv.includes('--quick');
const world = new World();
const result: Record<string, number> = {};

/** Milliseconds of `attach` on a user-defined network with three published ports. */
async function attachTimes(rounds: number): Promise<number[]> {
  const times: number[] = [];
  const port = (at: number): readonly [string, readonly { HostPort: string }[]] => [
    `${80 + at}/tcp`,
    [{ HostPort: `${8080 + at}` }],
  ];
  for (let round = 0; round < rounds; round++) {
    const planned = world.plan(`attach${round}`, {
      NetworkMode: 'app',
      PortBindings: Object.fromEntries([port(0), port(1), port(2)]),
    });
    const record = { ...planned, ...(await world.networks.reserve(planned)) };
    const namespace = await world.networks.createNamespace(ctx);
    const start = performance.now();
    const ports = await world.networks.attach(ctx, record, namespace);
    times.push(performance.now() - start);
    const box = { record: { ...record, ports }, namespace };
    world.boxes.set(record.id, box);
    await world.stop(box);
  }
  return times;
}

const mapped = (hostPort: number, containerIp: string): FirewallPort => ({
  protocol: 'tcp',
  hostIp: '0.0.0.0',
  hostPort,
  containerIp,
  containerPort: 80,
  bridge: `${instance}0`,
});

function connectOnce(port: number): Promise<number> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const socket = connect(port, '192.0.2.2', () => {
      resolve(performance.now() - start);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

/** Adding a port, and connecting to one, with few others and with many, in turns. */
async function portTimes(web: Box): Promise<void> {
  const firewall = createFirewall({ host: world.host, instance });
  const address = web.record.endpoints['bridge']?.ipv4 ?? '';
  const samples = { add10: [], add10000: [], connect10: [], connect10000: [] } as Record<string, number[]>;
  const many = Array.from({ length: 10_000 }, (_, at) => mapped(20_000 + at, address));
  for (let turn = 0; turn < (quick ? 2 : 6); turn++) {
    for (const count of [10, 10_000]) {
      if (count === 10_000) await firewall.publish(ctx, many);
      else await firewall.publish(ctx, many.slice(0, 10));
      for (let at = 0; at < 50; at++) {
        const one = [mapped(40_000 + at, address)];
        const start = performance.now();
        await firewall.publish(ctx, one);
        samples[`add${count}`]?.push(performance.now() - start);
        await firewall.unpublish(ctx, one);
      }
      for (let at = 0; at < 300; at++) samples[`connect${count}`]?.push(await connectOnce(20_005));
      await firewall.unpublish(ctx, count === 10 ? many.slice(0, 10) : many);
    }
  }
  for (const [name, values] of Object.entries(samples)) result[name] = median(values);
}

const iperf = async (server: Pick<Box, 'namespace'>, client: Pick<Box, 'namespace'>, address: string) => {
  const child = spawn('nsenter', [`--net=${server.namespace.path}`, 'iperf3', '-s', '-1', '--forceflush'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const text = inside(client, 'iperf3', '-c', address, '-t', '1', '-J');
  await once(child, 'exit');
  const parsed = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
  return parsed.end.sum_received.bits_per_second / 1e9;
};

/** In short turns, since the machine's own ups and downs are larger than what is measured. Beside what is made by hand in the same namespace: two namespaces on a bridge, the host to one of them, and the host to a pair without a bridge. */
async function throughput(web: Box, other: Box): Promise<void> {
  const host = { namespace: { fd: -1, path: '/proc/self/ns/net' } };
  const [one, two, bare] = [
    { namespace: await world.host.createNetns() },
    { namespace: await world.host.createNetns() },
    { namespace: await world.host.createNetns() },
  ];
  for (const [at, { namespace }] of [one, two].entries())
    run(
      `ip link add hand${at} mtu 1400 type veth peer name eth0 mtu 1400 netns ${namespace.path}; nsenter --net=${namespace.path} sh -c 'ip addr add 10.98.0.${at + 2}/24 dev eth0; ip link set eth0 up'`,
    );
  run(
    'ip link add handbr type bridge; ip addr add 10.98.0.1/24 dev handbr; ip link set handbr up; for at in 0 1; do ip link set hand$at master handbr up; done',
  );
  run(
    `ip link add pair mtu 1400 type veth peer name eth0 mtu 1400 netns ${bare.namespace.path}; ip addr add 10.97.0.1/24 dev pair; ip link set pair up; nsenter --net=${bare.namespace.path} sh -c 'ip addr add 10.97.0.2/24 dev eth0; ip link set eth0 up'`,
  );
  const address = web.record.endpoints['bridge']?.ipv4 ?? '';
  const paths: readonly (readonly [string, Pick<Box, 'namespace'>, Pick<Box, 'namespace'>, string])[] = [
    ['containers', web, other, address],
    ['handBridge', one, two, '10.98.0.2'],
    ['fromHost', web, host, address],
    ['hostHandBridge', one, host, '10.98.0.2'],
    ['handPair', bare, host, '10.97.0.2'],
  ];
  const samples = new Map<string, number[]>(paths.map(([name]) => [name, []]));
  for (let turn = 0; turn < (quick ? 3 : 25); turn++) {
    for (const [name, server, client, to] of paths) samples.get(name)?.push(await iperf(server, client, to));
  }
  for (const [name, values] of samples) {
    result[name] = median(values);
    result['throughputSpread'] = Math.max(result['throughputSpread'] ?? 0, spread(values));
  }
  for (const { namespace } of [one, two, bare]) world.host.closeFd(namespace.fd);
}

try {
  await world.addOutside();
  await world.start();
  await world.networks.create(ctx, { name: 'app' });
  await attachTimes(20);
  result['attach'] = median(await attachTimes(quick ? 20 : 100));
  const [web, other] = [await world.run('web'), await world.run('other')];
  world.keep(
    await serveScript(
      web,
      "require('net').createServer((s) => s.on('error', () => {})).listen(80, () => console.log('up'))",
    ),
  );
  await portTimes(web);
  await throughput(web, other);
  process.stdout.write(`${JSON.stringify(result)}\n`);
} finally {
  await world.end();
}
