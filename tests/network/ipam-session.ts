/** A session of commands on networks whose addresses a plugin gives, and what the plugin is asked meanwhile: for our engine and for dockerd alike. */

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Peer } from '../peers/process.ts';
import { busyboxArchive, eventually } from '../scenarios/engine.ts';

const execute = promisify(execFile);
const program = join(import.meta.dirname, 'ipam-program.ts');
/** What an engine asks behind its answer, where it is not known how much that is. */
const settleMs = 300;

const line = (text: string): readonly string[] => text.split(' ');

const withPool = 'network create --ipam-driver fixed --subnet 10.61.0.0/24';

/** Names of steps, and the docker CLI's command lines. */
export const ipamSession: readonly (readonly [string, string])[] = [
  ['create, the plugin chooses', 'network create --ipam-driver fixed free'],
  [
    'create, all chosen',
    `${withPool} --ip-range 10.61.0.128/25 --gateway 10.61.0.7 --aux-address a=10.61.0.9 --ipam-opt k=v --ipv6 --subnet fd61::/64 full`,
  ],
  ['run', 'run -d --name one --network full busybox sleep 1000'],
  ['run with an address', 'run -d --name two --network full --ip 10.61.0.77 busybox sleep 1000'],
  ['connect', 'network connect free one'],
  ['disconnect', 'network disconnect free one'],
  ['stop', 'stop -t 0 two'],
  ['start again, the same address', 'start two'],
  ['rm of a network in use', 'network rm full'],
  ['rm -f', 'rm -f one'],
  ['rm -f of the other', 'rm -f two'],
  ['network rm', 'network rm full'],
  ['the hardware address is asked for', 'network create --ipam-driver mac --subnet 10.62.0.0/24 hard'],
  ['run there', 'run -d --name three --network hard busybox sleep 1000'],
  ['rm there', 'rm -f three'],
  ['no pool', 'network create --ipam-driver fixed --ipam-opt fails=RequestPool bad'],
  ['no gateway', `${withPool} --ipam-opt fails=Gateway bad`],
  ['a pool that is none', 'network create --ipam-driver fixed --ipam-opt answers=nonsense bad'],
  ['a gateway that is none', 'network create --ipam-driver fixed --ipam-opt tells-gateway=x bad'],
  ['a gateway with the pool', `${withPool} --ipam-opt tells-gateway=10.61.0.3/24 told`],
  ['a subnet that is another bridge', 'network create --ipam-driver fixed --subnet 10.61.0.0/25 bad'],
  ['rm of it', 'network rm told'],
  ['no address', `${withPool} --ipam-opt fails=RequestAddress dry`],
  ['run there without address', 'run -d --name four --network dry busybox sleep 1000'],
  ['rm of both', 'rm -f four'],
  ['rm of the dry network', 'network rm dry'],
  ['a driver that refuses', `${withPool} -o com.docker.network.driver.mtu=abc bad`],
  ['nobody of that name', 'network create --ipam-driver nowhere bad'],
  ['no addresses at all', 'network create --ipam-driver null bad'],
  [
    'pools that are in use on the host',
    'network create --ipam-driver fixed --ipam-opt first=172.17.0.0/16 again',
  ],
];

export interface IpamStep {
  /** What the plugin was asked, as `METHOD BODY`. */
  readonly calls: readonly string[];
  /** What the CLI said of a failure; empty where it went well. */
  readonly failure: string;
}

const hide = (text: string): string =>
  text
    .replace(/[0-9a-f]{64}/g, '<id>')
    .replace(/"[0-9a-f]{12}"/g, '"<short>"')
    .replace(/br-[0-9a-f]{12}/g, '<bridge>')
    .replace(/02(:[0-9a-f]{2}){5}/g, '<mac>');

/** The program inside the engine's mount and network namespace, announced as `NAME`. */
async function startPlugin(
  peer: Peer,
  calls: string[],
  name: string,
  ...settings: string[]
): Promise<ChildProcess> {
  const inside = [
    '-t',
    String(peer.pid),
    '-m',
    '-n',
    'sh',
    '-c',
    'mkdir -p /run/docker/plugins; exec "$@"',
    'sh',
  ];
  const command = [process.execPath, program, `/run/docker/plugins/${name}.sock`, ...settings];
  const child = spawn('nsenter', [...inside, ...command], { stdio: ['ignore', 'pipe', 'inherit'] });
  let rest = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = `${rest}${chunk.toString()}`.split('\n');
    rest = lines.pop() ?? '';
    calls.push(...lines);
  });
  await once(child.stdout, 'data');
  calls.length = 0;
  return child;
}

/** With `expected` a step is over when as much was asked as it says; what comes later counts for the next step. */
export async function runIpamSession(
  peer: Peer,
  expected?: Readonly<Record<string, IpamStep>>,
): Promise<Record<string, IpamStep>> {
  const docker = ['-H', `unix://${peer.socket}`];
  await execute('docker', [...docker, 'load', '-i', await busyboxArchive()]);
  const calls: string[] = [];
  const plugins = [
    await startPlugin(peer, calls, 'fixed'),
    await startPlugin(peer, calls, 'mac', 'mac=true'),
  ];
  const told: Record<string, IpamStep> = {};
  try {
    for (const [name, command] of ipamSession) {
      let failure = '';
      try {
        await execute('docker', [...docker, ...line(command)]);
      } catch (error) {
        const [first = ''] = String((error as { readonly stderr?: unknown }).stderr).split('\n');
        // Docker's command before 28 ends what the engine says of a start with a full stop.
        failure = first.replace(/^(docker: .*)\.$/, '$1');
      }
      const count = expected?.[name]?.calls.length;
      if (count === undefined) await delay(settleMs);
      else
        await eventually(`calls of ${name}`, async () => calls.length >= count || undefined, 5000).catch(
          () => {},
        );
      told[name] = { calls: calls.splice(0).map((call) => hide(call).trim()), failure: hide(failure) };
    }
    return told;
  } finally {
    for (const plugin of plugins) {
      plugin.kill('SIGKILL');
      await once(plugin, 'exit');
    }
  }
}
